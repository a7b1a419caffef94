"""Sufficient sets: how much the set that a search ended with loses, judged by examples that did not choose it.

A set that was chosen by some examples looks better there than it is. So all numbers here are of the others, used once.
Sets of as many units that were chosen in simpler ways are judged beside it by the same examples.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import polars as pl
from jaxtyping import Float
from scipy import sparse, stats

from analysis.inference import Inference
from analysis.inference.contrasts import Contrasts
from analysis.inference.discordant_pairs import flip_changes, flip_interval, flips_of
from analysis.results.designs import StoredDesign
from analysis.results.sample import Sample
from analysis.sets.pairs import ABOUT
from study.record.designs import DesignKind
from study.record.designs.jackknife import standard_error
from study.record.designs.names import CHOSEN, LOSE
from study.record.designs.sample_size import groups_needed

SUFFICIENT = (
    ABOUT
    | {"set": pl.String, "metric": pl.String, "unit": pl.String}
    | dict.fromkeys(["kept", "units", "n", "groups", "chose"], pl.Int64)
    | {"group": pl.String}
    | dict.fromkeys(["lose", "base_score", "score", "effect", "standard_error", "limit", "alpha"], pl.Float64)
    | {"sufficient": pl.Boolean, "needed": pl.Int64}
    | dict.fromkeys(["ahead", "ahead_low", "ahead_high", "ahead_p_corrected"], pl.Float64)
    | {"on": pl.String, "resamples": pl.Int64, "seed": pl.Int64}
)

PATH = (
    ABOUT
    | {"step": pl.Int64, "by": pl.String, "metric": pl.String, "unit": pl.String}
    | dict.fromkeys(["kept", "units", "n"], pl.Int64)
    | dict.fromkeys(["lose", "base_score", "score"], pl.Float64)
    | {"off": pl.String}
)


@dataclass(frozen=True, eq=False)
class Verdict:
    """The sets that a search ended with, on the examples that judge.

    Attributes:
        stored: the design, with its outcomes.
        inference: how limits and p values are made.
    """

    stored: StoredDesign
    inference: Inference

    @property
    def name(self) -> str:
        """Model and data, in words."""
        return f"{self.stored.domain.subject} on {self.stored.domain.data}"

    @property
    def lose(self) -> float:
        """How much the set may lose, in the unit of effects."""
        return float(self.stored.design.options[LOSE])

    @cached_property
    def sample(self) -> Sample:
        """The outcomes of the base and of each set once."""
        return self.stored.domain.sample_of(self.stored.keys, self.inference.groups)

    @cached_property
    def place(self) -> list[int]:
        """The place of each set among the masks of the sample."""
        at = {mask: number for number, mask in enumerate(self.sample.masks)}
        return [at[key] for key in self.stored.keys]

    @cached_property
    def limits(self) -> Float[np.ndarray, " masks"]:
        """The lower one-sided limit of the effect of each mask; 0 of the base."""
        limits = lower_limits(self.sample, self.inference.alpha, countable=self.stored.domain.has_flips)
        return np.concatenate([[0.0], limits])

    @cached_property
    def error(self) -> Float[np.ndarray, " others"]:
        """Standard errors of the effects."""
        return standard_error(self.sample.effects_without_each)

    @cached_property
    def ahead(self) -> Contrasts:
        """How far the chosen set is ahead of each set: its score less theirs."""
        weights = np.zeros((len(self.sample.masks), len(self.place)))
        chosen = self.place[self.stored.design.names.index(CHOSEN)]
        for number, other in enumerate(self.place):
            weights[chosen, number] += 1
            weights[other, number] -= 1
        return Contrasts.of(self.sample, sparse.csr_array(weights), self.inference.resamples, self.inference.seed)

    def needed(self, at: int) -> int | None:
        """Groups of examples with which a set that loses nothing would be shown to suffice, with a chance of .8.

        The error is that of this set; None where no answer changes.
        """
        error = float(np.concatenate([[0.0], self.error])[at])
        return groups_needed(error, self.sample.groups, self.lose, self.inference.alpha) if error > 0 else None


def lower_limits(sample: Sample, alpha: float, *, countable: bool) -> Float[np.ndarray, " others"]:
    """Lower one-sided limits of effects: with probability 1 - alpha no more is lost.

    By a jackknife and Student's t; of accuracy with few flips from exact binomial limits.

    Args:
        sample: the base mask and others.
        alpha: chance that more is lost.
        countable: whether the score is of right and wrong examples that count alike.
    """
    error = standard_error(sample.effects_without_each)
    low = sample.effects - stats.t.ppf(1 - alpha, sample.groups - 1) * error
    if not countable:
        return low
    found = flips_of(flip_changes(sample), sample.examples)
    return np.where(found.few, flip_interval(found, 2 * alpha)[0], low)


def verdicts(designs: list[StoredDesign], inference: Inference) -> list[Verdict]:
    """The verdict on each search that has come to its end."""
    ended = [one for one in designs if one.design.kind is DesignKind.SET and LOSE in one.design.options]
    return [Verdict(one, inference) for one in ended if CHOSEN in one.design.names]


def sufficient_table(verdict: Verdict) -> pl.DataFrame:
    """A row for each set, the chosen one first.

    Returns:
        Columns of the domain; design, level; set: `chosen`, or what others were chosen by; metric, unit; kept, units
        (how many there are); n (examples that judge), groups, group, chose (examples that chose); lose: how much may be
        lost; base_score, score, effect, standard_error; limit: the lower one-sided limit of the effect at 1 - alpha;
        sufficient: whether that is no lower than -lose; needed: groups of examples with which a set that loses
        nothing, and changes as many answers, is shown to suffice with a chance of .8; ahead: the score of the chosen
        set less this one's, with its interval, and p corrected over the sets by max-T, null of sets that differ in
        fewer than 20 groups; on: the units that stay on, parted by spaces; resamples, seed.
    """
    sample, options, design = verdict.sample, verdict.inference, verdict.stored.design
    effects, error = (np.concatenate([[0.0], own]) for own in (sample.effects, verdict.error))
    low, high = verdict.ahead.interval(options.alpha)
    domain = verdict.stored.domain
    rows = [
        {
            **domain.identity,
            **{"design": design.id, "level": str(design.unit), "set": name, "alpha": options.alpha},
            **{"metric": domain.metric.name, "unit": domain.metric.unit, "n": sample.different_examples},
            **{"kept": int(design.on[number].sum()), "units": len(design.units), "groups": sample.groups},
            **{"chose": verdict.stored.chose, "group": sample.unit, "lose": verdict.lose},
            **{"base_score": sample.base_score, "score": float(sample.scores[at]), "effect": float(effects[at])},
            **{"standard_error": float(error[at]), "limit": float(verdict.limits[at])},
            "sufficient": bool(verdict.limits[at] >= -verdict.lose),
            "needed": verdict.needed(at),
            **{"ahead": float(verdict.ahead.estimates[number]), "ahead_low": float(low[number])},
            **{"ahead_high": float(high[number]), "ahead_p_corrected": float(verdict.ahead.p_corrected[number])},
            "on": " ".join(unit for unit, on in zip(design.units, design.on[number], strict=True) if on),
            **{"resamples": options.resamples, "seed": options.seed},
        }
        for number, (name, at) in enumerate(zip(design.names, verdict.place, strict=True))
    ]
    return pl.DataFrame(rows, schema=SUFFICIENT).with_columns(pl.col("^ahead.*$").fill_nan(None))


def path_table(stored: StoredDesign, inference: Inference) -> pl.DataFrame:
    """A row for each step of a search, on the examples that chose.

    Returns:
        Columns of the domain; design, level; step, by (importance, effect, swap), metric, unit; kept, units, n; lose,
        base_score, score: of the examples that chose, so that it flatters; off: the units that are off, parted by
        spaces.
    """
    design, domain = stored.design, stored.domain
    sample = domain.sample_of(stored.keys, inference.groups)
    scores = dict(zip(sample.masks, sample.scores, strict=True))
    rows = [
        {
            **domain.identity,
            **{"design": design.id, "level": str(design.unit), "step": number, "by": design.names[number]},
            **{"metric": domain.metric.name, "unit": domain.metric.unit, "n": sample.different_examples},
            **{"kept": int(design.on[number].sum()), "units": len(design.units), "lose": float(design.options[LOSE])},
            **{"base_score": sample.base_score, "score": float(scores[key]), "off": " ".join(design.off(number))},
        }
        for number, key in enumerate(stored.keys)
    ]
    return pl.DataFrame(rows, schema=PATH)
