"""Resampled effects: what resampling says of effects, and of weighted sums of them, which the same draws give.

Shapes: `others` = effects, as in `analysis.results.sample`; `sums` = weighted sums of them.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from jaxtyping import Float, Int, Num

from analysis.inference import equivalence, resampling
from analysis.inference.discordant_pairs import Flips, conditional_interval, flip_interval, flips_of
from analysis.inference.minimum_detectable_effect import minimum_detectable_effect
from analysis.inference.multiplicity import Correction, corrected, critical_size
from analysis.inference.options import Inference, Interval
from analysis.inference.significance import p_of_draws, p_of_t
from study.record.designs.jackknife import standard_error


@dataclass(frozen=True, eq=False)
class ResampledEffects:
    """Effects with all that resampling says of each by itself, before any correction.

    Attributes:
        effects: the effects.
        without_each: the effects without each group of examples.
        draws: the effects on bootstrap resamples, where these are wanted.
        null: draws of them under the null hypothesis, where the test makes these jointly.
        unit: standard deviation of each under the null hypothesis, where it is known.
        change: what each group of examples adds in examples that flip, of accuracy alone.
        p: p value of each.
        margin: effects within it do not matter.
        examples: number of examples.
        options: how intervals and p values are made.
        more: columns that are known besides.
    """

    effects: Float[np.ndarray, " others"]
    without_each: Float[np.ndarray, "groups others"]
    draws: Float[np.ndarray, "draws others"] | None
    null: Float[np.ndarray, "swaps others"] | None
    unit: Float[np.ndarray, " others"] | None
    change: Num[np.ndarray, "others groups"] | None
    p: Float[np.ndarray, " others"]
    margin: float
    examples: int
    options: Inference
    more: Mapping[str, np.ndarray] = field(default_factory=dict)

    def combined(self, weights: Float[np.ndarray, "others sums"]) -> "ResampledEffects":
        """Weighted sums of the effects.

        Their null hypothesis is that what a group of examples adds is as likely to be as much less than 0: swaps turn
        the sign of all masks at once. A test that makes no joint draws gives way to a jackknife's t-test.
        """
        effects, without_each = self.effects @ weights, self.without_each @ weights
        null = None if self.null is None else self.null @ weights
        if null is None:
            p = p_of_t(effects, standard_error(without_each), self.groups - 1)
        else:
            p = p_of_draws(null, effects)
        return ResampledEffects(
            effects=effects,
            without_each=without_each,
            draws=None if self.draws is None else self.draws @ weights,
            null=null,
            unit=None,
            change=None if self.change is None else weights.T @ self.change,
            p=p,
            margin=self.margin,
            examples=self.examples,
            options=self.options,
        )

    @property
    def groups(self) -> int:
        """Groups of examples."""
        return len(self.without_each)

    @cached_property
    def error(self) -> Float[np.ndarray, " others"]:
        """The standard error of each effect, by a jackknife."""
        return standard_error(self.without_each)

    @cached_property
    def flips(self) -> Flips | None:
        """The examples that flip, of accuracy alone."""
        return None if self.change is None else flips_of(self.change, self.examples)

    @cached_property
    def p_equivalence(self) -> Float[np.ndarray, " others"]:
        """P of two one-sided tests that the effect lies outside of the margin."""
        p = equivalence.equivalence_p(self.effects, self.error, self.groups - 1, self.margin)
        if self.flips is None:
            return p
        return np.where(self.flips.few, equivalence.equivalence_p_of_flips(self.flips, self.margin), p)

    @cached_property
    def intervals(self) -> tuple[Float[np.ndarray, " others"], Float[np.ndarray, " others"], np.ndarray]:
        """Low and high end of each effect, and how each was made."""
        wanted, alpha = self.options.interval, self.options.alpha
        if not wanted.needs_bootstrap:
            make = flip_interval if wanted is Interval.flips else conditional_interval
            assert self.flips is not None  # see check_interval
            low, high = make(self.flips, alpha)
            return low, high, np.full(len(low), str(wanted))
        assert self.draws is not None
        if wanted is Interval.bca:
            low, high = resampling.bca(self.draws, self.effects, self.without_each, alpha)
        else:
            low, high = resampling.percentile(self.draws, alpha)
        made = np.full(len(low), str(wanted), dtype=object)
        if self.flips:
            exact = flip_interval(self.flips, alpha)
            low, high = (np.where(self.flips.few, *ends) for ends in zip(exact, (low, high), strict=True))
            made[self.flips.few] = str(Interval.flips)
        return low, high, made

    def family_columns(self, at: Int[np.ndarray, " heads"]) -> dict[str, object]:
        """The columns of `analysis.inference.COLUMNS` for one family, corrected within it."""
        alpha, by = self.options.alpha, self.options.corrects_by
        null = None if self.null is None else self.null[:, at]
        unit = None if self.unit is None else self.unit[at]
        p = corrected(self.p[at], by, null=null, effects=self.effects[at], unit=unit)
        # the tests of equivalence are not drawn jointly, so that Holm takes the place of max-T
        p_equivalence = corrected(self.p_equivalence[at], Correction.holm if by is Correction.max_t else by)
        critical = critical_size(
            by, alpha, null, self.effects[at], test=self.options.test, groups=self.groups, unit=unit
        )
        low, high, interval = (column[at] for column in self.intervals)
        return {
            **{name: column[at] for name, column in self.more.items()},
            "standard_error": self.error[at],
            "low": low,
            "high": high,
            "interval": interval,
            "p": self.p[at],
            "p_corrected": p,
            "significant": p <= alpha,
            "detectable": minimum_detectable_effect(self.error[at], critical, self.groups - 1),
            "p_equivalence": self.p_equivalence[at],
            "p_equivalence_corrected": p_equivalence,
            "equivalent": p_equivalence <= alpha,
        }
