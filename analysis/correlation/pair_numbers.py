"""The numbers of a pair of domains and some of its heads; what cannot be said is None, with the reason beside it."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import polars as pl
from jaxtyping import Bool, Float, Shaped

from analysis.correlation.coefficients import kendall, pearson, spearman
from analysis.correlation.domain_effects import DomainEffects
from analysis.correlation.head_influence import by_size
from analysis.correlation.noise_ceiling import (
    Dealt,
    Parts,
    Reliability,
    ceiling,
    crossed_halves,
    deal,
    part_effects,
    reliability,
    true_r_of_rest,
)
from analysis.correlation.null_distributions import random_swaps
from analysis.correlation.options import CorrelationOptions
from analysis.correlation.pairs import Pair
from analysis.correlation.shared_examples import SharedGroups
from analysis.correlation.true_correlation import measured_r, true_r

WITHOUT_OUTCOMES = "needs the outcomes of examples: a table of effects says nothing about their noise"

COEFFICIENTS = {"heads": pl.Int64, **dict.fromkeys(["pearson", "spearman", "kendall"], pl.Float64), "reason": pl.String}
CEILING = dict.fromkeys(["reliability_a", "reliability_b", "ceiling"], pl.Float64) | {"ceiling_reason": pl.String}
NUMBERS = (
    COEFFICIENTS
    | {"pearson_low": pl.Float64, "pearson_high": pl.Float64, "interval_reason": pl.String}
    | {**dict.fromkeys(["true", "true_low", "true_high"], pl.Float64), "true_reason": pl.String}
    | {"share": pl.Float64, **CEILING}
)
CROSSED = dict.fromkeys(["crossed", "crossed_ceiling"], pl.Float64)
REST = COEFFICIENTS | dict.fromkeys(["pearson_low", "pearson_high", "true"], pl.Float64) | CEILING

Row = dict[str, Any]
Draws = Shaped[np.ndarray, "draws _"]


@dataclass(frozen=True, eq=False)
class DomainResamples:
    """What is drawn once of a domain and serves every pair that it is in.

    Attributes:
        domain: the effects, and the outcomes behind them.
        options: how many are drawn, and the seed.
        by_examples: draw by the name of the examples, as cells need that share all of them; else by the setting's own.
        beside: another domain, with whose draws a shared group goes; None: all draws are this domain's own.
        shared: the groups that both have, those of the other domain first; where there is one.
    """

    domain: DomainEffects
    options: CorrelationOptions
    by_examples: bool = False
    beside: "DomainResamples | None" = None
    shared: SharedGroups | None = None

    @cached_property
    def dealt(self) -> Mapping[int, Dealt | None]:
        """The part of each group in every split, into halves (2) and thirds (3); none without outcomes."""
        sample, purposes = self.domain.sample, {2: "halves", 3: "thirds"}
        if sample is None:
            return dict.fromkeys(purposes)
        found = {}
        for count, purpose in purposes.items():
            mine = deal(sample.groups, self._generator(purpose), self.options.splits, count)
            theirs = self.beside and self.beside.dealt[count]
            found[count] = mine if mine is None or theirs is None else self._joined(mine, theirs)
        return found

    def flips(self) -> Bool[np.ndarray, "resamples groups"]:
        """In which groups outcomes change places, under the null of no effect; large, and made anew at each call."""
        assert self.domain.sample is not None
        mine = random_swaps(self.domain.sample.groups, self._generator("flips"), self.options.resamples)
        return mine if self.beside is None else self._joined(mine, self.beside.flips())

    @cached_property
    def halves(self) -> Parts | None:
        """Effects on random halves of the examples."""
        return self._parts(2)

    @cached_property
    def thirds(self) -> Parts | None:
        """Effects on random thirds of the examples."""
        return self._parts(3)

    @cached_property
    def flipped(self) -> Float[np.ndarray, "resamples heads"]:
        """Effects under the null of no effect."""
        assert self.domain.sample is not None
        return self.domain.sample.swapped(self.flips())

    def drawn_as(self, other: "DomainResamples", shared: SharedGroups) -> "DomainResamples":
        """This domain, where each group that it shares with another one is dealt and flipped as there."""
        if self.by_examples and other.by_examples and self.domain.has_the_examples_of(other.domain):
            return self
        return replace(self, beside=other, shared=shared)

    def _joined(self, own: Draws, others: Draws) -> Draws:
        """Draws with the columns of shared groups from the other domain's."""
        assert self.shared is not None
        own[:, self.shared.at_b] = others[:, self.shared.at_a]
        return own

    def _parts(self, count: int) -> Parts | None:
        sample = self.domain.sample
        return sample and part_effects(sample, self.dealt[count], count)

    def _generator(self, purpose: str) -> np.random.Generator:
        names = self.domain.names["subject_id"], self.domain.names["setting_id"]
        return self.options.generator(purpose, *((self.domain.examples_key,) if self.by_examples else names))


@dataclass(frozen=True, eq=False)
class PairResamples:
    """A pair with what was drawn of both its domains."""

    pair: Pair
    a: DomainResamples
    b: DomainResamples

    @classmethod
    def of(cls, pair: Pair, a: DomainResamples, b: DomainResamples) -> "PairResamples":
        """From what is drawn of both domains; groups that these share are drawn in both at once."""
        if not pair.has_outcomes or not pair.shared_groups.count:
            return cls(pair, a, b)
        a, b = (
            own if side is own.domain else DomainResamples(side, own.options)
            for side, own in zip(pair.sides, (a, b), strict=True)
        )
        return cls(pair, a, b.drawn_as(a, pair.shared_groups))

    @property
    def options(self) -> CorrelationOptions:
        """The options of both sides."""
        return self.a.options

    @property
    def every_head(self) -> Bool[np.ndarray, " heads"]:
        """All heads of the pair."""
        return np.ones(len(self.pair.heads), dtype=bool)

    def numbers(self, kept: Bool[np.ndarray, " heads"]) -> Row:
        """The columns of `NUMBERS` for some of the heads, which the effects themselves had no part in choosing.

        And those of `CROSSED`, where the domains share examples.
        """
        row: Row = dict.fromkeys(NUMBERS) | self._coefficients(kept)
        if row["reason"] is not None:
            return row
        silent = self.no_noise()
        if silent is not None:
            return row | dict.fromkeys(["interval_reason", "true_reason", "ceiling_reason"], silent)
        row |= self._estimates(kept)
        sides = zip((self.a, self.b), (self.pair.at_a, self.pair.at_b), strict=True)
        halves = [None if side.halves is None else side.halves[:, :, at[kept]] for side, at in sides]
        row |= self._ceiling(*map(reliability, halves))
        if self.shared:
            row |= {"crossed": (found := crossed_halves(*halves)).crossed, "crossed_ceiling": found.ceiling}
        r, most = (row["crossed"], row["crossed_ceiling"]) if self.shared else (row["pearson"], row["ceiling"])
        if None not in (row["true"], r, most):
            row["share"] = r / most
        return row

    def without_largest(self, k: int) -> Row:
        """The columns of `REST` for all heads but the k of largest effect.

        The coefficients are of the heads left by the effects themselves, and the interval of r is of these heads,
        whatever chose them; reliabilities and the true r of those left by a third of the examples that they are not
        judged on.
        """
        rest = by_size(*self.pair.effects)[k:]
        kept = np.zeros(len(self.pair.heads), dtype=bool)
        kept[rest] = True
        row: Row = dict.fromkeys(REST) | self._coefficients(kept)
        silent = self.no_noise()
        if row["reason"] is not None or silent is not None:
            return row | {"ceiling_reason": row["reason"] or silent}
        measured = measured_r(*self.pair.noisy(kept), self.options.level, self.pair.shared_groups)
        row |= {"pearson_low": measured.low, "pearson_high": measured.high}
        thirds_a, thirds_b = self.a.thirds, self.b.thirds
        if thirds_a is None or thirds_b is None:
            return row | self._ceiling(reliability(thirds_a), reliability(thirds_b))
        thirds_a, thirds_b = thirds_a[:, :, self.pair.at_a], thirds_b[:, :, self.pair.at_b]
        left = by_size(thirds_a[:, 0], thirds_b[:, 0])[:, k:]
        row |= self._ceiling(reliability(thirds_a, left), reliability(thirds_b, left))
        known = self._estimable and row["ceiling"] is not None
        return row | {"true": true_r_of_rest(thirds_a, thirds_b, left, shared=self.shared) if known else None}

    def no_noise(self) -> str | None:
        """Why nothing can be said of the noise of this pair; None when it can."""
        return None if self.pair.has_outcomes else WITHOUT_OUTCOMES

    @property
    def shared(self) -> bool:
        """Whether the domains share examples, and so their noise."""
        return self.pair.has_outcomes and self.pair.shared_groups.count > 0

    @cached_property
    def _estimable(self) -> bool:
        """Whether the true r of all heads can be told from noise."""
        noisy = self.pair.noisy(self.every_head)
        return true_r(*noisy, self.options.level, self.pair.shared_groups).value is not None

    def _coefficients(self, kept: Bool[np.ndarray, " heads"]) -> Row:
        row: Row = {"heads": int(kept.sum()), "reason": self.pair.no_correlation(kept)}
        if row["reason"] is not None:
            return row
        a, b = (effects[kept] for effects in self.pair.effects)
        return row | {"pearson": float(pearson(a, b)), "spearman": float(spearman(a, b)), "kendall": kendall(a, b)}

    def _estimates(self, kept: Bool[np.ndarray, " heads"]) -> Row:
        sides = self.pair.noisy(kept)
        measured, true = (of(*sides, self.options.level, self.pair.shared_groups) for of in (measured_r, true_r))
        return {
            "pearson_low": measured.low,
            "pearson_high": measured.high,
            "interval_reason": measured.reason,
            "true": true.value,
            "true_low": true.low,
            "true_high": true.high,
            "true_reason": true.reason,
        }

    def _ceiling(self, a: Reliability, b: Reliability) -> Row:
        sides = zip((self.pair.a, self.pair.b), (a, b), strict=True)
        reasons = [f"{side.domain}: {own.reason}" for side, own in sides if own.reason]
        return {
            "reliability_a": a.whole,
            "reliability_b": b.whole,
            "ceiling": ceiling(a, b),
            "ceiling_reason": "; ".join(reasons) or None,
        }
