"""Shapley values of units: what each adds to the score, on average over contexts, with both of its errors.

Two things are drawn at random: the coalitions, and the examples. Intervals hold the errors of both
(`study.record.designs.values`).

Beside them stand semivalues, the same mean over contexts near the full set, and effects of single units, which are of
one context alone: the full set. In the middle sizes a model may have collapsed, so that a unit whose Shapley value is
large and whose effect is small is no hidden power: it was met in other contexts.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import polars as pl
from jaxtyping import Float, Int

from analysis.inference import Inference
from analysis.inference.resampling import ENOUGH_FOR_AN_INTERVAL, scores
from analysis.results.designs import StoredDesign
from analysis.results.domain import Domain
from analysis.results.sample import Sample
from analysis.sets.pairs import ABOUT
from analysis.sets.scales import scale_samples
from study.record.designs import Design, DesignKind
from study.record.designs.coalitions import ALL, ENDS, INDEPENDENT, KERNEL
from study.record.designs.estimates import (
    LinearEstimate,
    all_sets_matrix,
    pair_matrix,
    semivalue_matrix,
    shapley_matrix,
)
from study.record.designs.jackknife import standard_error
from study.record.designs.looks import level
from study.record.designs.names import KEPT
from study.record.designs.values import Values, student
from study.record.errors import InputError

SHAPLEY, SEMIVALUE = "shapley", "semivalue"

NEAR = 0.9
"""The probability with which others stay on in a semivalue that is computed from all sets."""

MOST_PAIRS = 3000
"""Pairs of units whose interactions are fitted; more take minutes."""

SHAPLEY_VALUES = (
    ABOUT
    | dict.fromkeys(["address", "scale", "metric", "unit", "average"], pl.String)
    | {"kept": pl.Float64, "n": pl.Int64, "groups": pl.Int64, "group": pl.String}
    | {"coalitions": pl.Int64, "exact": pl.Boolean, "looks": pl.Int64}
    | dict.fromkeys(["base_score", "empty_score", "value", "error_coalitions", "error_examples"], pl.Float64)
    | dict.fromkeys(["standard_error", "low", "high", "alone", "alone_low", "alone_high", "alpha"], pl.Float64)
)

SHAPLEY_PAIRS = (
    ABOUT
    | dict.fromkeys(["a", "b", "scale", "metric", "unit"], pl.String)
    | {"n": pl.Int64, "coalitions": pl.Int64, "exact": pl.Boolean, "looks": pl.Int64}
    | dict.fromkeys(["interaction", "error_coalitions", "error_examples", "standard_error"], pl.Float64)
    | dict.fromkeys(["low", "high", "alpha"], pl.Float64)
)


def values_of(estimate: LinearEstimate, sample: Sample, at: Int[np.ndarray, " coalitions"], seed: int) -> Values:
    """The values of a sample, with both errors.

    Of a score that is no mean, the scores of each resample of the examples pass through the same map.

    Args:
        estimate: the map from scores to values.
        sample: the outcomes.
        at: the place of each coalition among the masks of the sample.
        seed: seed of the resamples.
    """
    by_examples = None
    if not sample.metric.is_mean:
        drawn = scores(sample, ENOUGH_FOR_AN_INTERVAL, seed)[:, at]
        by_examples = (drawn @ estimate.matrix.T).std(axis=0)
    without = (left[:, at] for left in sample.without_some())
    return Values.of(estimate, sample.scores[at], without, by_examples)


@dataclass(frozen=True)
class ScoreSum:
    """A sum of differences of scores, with its interval by the examples.

    Attributes:
        value: the sum.
        low: lower end of the interval.
        high: upper end.
        unit: unit of all three.
    """

    value: float
    low: float
    high: float
    unit: str

    @classmethod
    def of(cls, sample: Sample, weights: Float[np.ndarray, " masks"], alpha: float) -> "ScoreSum":
        """The scores of a sample's masks, each times its weight, with an interval at 1 - alpha by a jackknife."""
        value = float(sample.scores @ weights)
        without = np.concatenate([left @ weights for left in sample.without_some()])
        half = student(alpha, sample.groups - 1) * float(standard_error(without[:, None])[0])
        return cls(value, value - half, value + half, sample.metric.unit)


@dataclass(frozen=True, eq=False)
class Coalitions:
    """The coalitions of one design, on every scale.

    Attributes:
        stored: the design, with its outcomes.
        inference: how intervals are made.
    """

    stored: StoredDesign
    inference: Inference

    @property
    def design(self) -> Design:
        """Its sets, in whole pairs."""
        design = self.stored.design
        return design if self.sampling == INDEPENDENT else design.first(len(design) - len(design) % 2)

    @property
    def sampling(self) -> str:
        """How sets were drawn."""
        return str(self.stored.design.options["sampling"])

    @property
    def drawn(self) -> int:
        """How many sets were drawn, or are all there are: the full and the empty set come with a sample."""
        return len(self.design) - ENDS * (self.sampling == KERNEL)

    @property
    def looks(self) -> int:
        """How many looks at a growing sample its intervals pay for; 1 where the number of sets was fixed."""
        looks = self.stored.design.looks
        return looks.count(self.drawn) if looks else 1

    @property
    def level(self) -> float:
        """The chance of an error that is left for each interval."""
        return level(self.stored.design.looks, self.drawn, self.inference.alpha)

    @property
    def name(self) -> str:
        """Model and data, in words."""
        return f"{self.stored.domain.subject} on {self.stored.domain.data}"

    @cached_property
    def _keys(self) -> list[str]:
        """The mask of each coalition, by key."""
        return self.design.keys(self.stored.domain.layout)

    @cached_property
    def _known(self) -> dict[str, tuple[Domain, Sample]]:
        """On every scale, the outcomes of its masks."""
        return scale_samples(self.stored.domain, self._keys, self.inference.groups)

    @property
    def scales(self) -> dict[str, Domain]:
        """The outcomes on every scale, by name."""
        return {scale: domain for scale, (domain, _) in self._known.items()}

    @cached_property
    def samples(self) -> dict[str, tuple[Sample, Int[np.ndarray, " coalitions"]]]:
        """By scale, the outcomes of its masks, and the place of each coalition among these."""
        found = {}
        for scale, (_, sample) in self._known.items():
            place = {mask: number for number, mask in enumerate(sample.masks)}
            found[scale] = sample, np.array([place[key] for key in self._keys], dtype=np.int64)
        return found

    @cached_property
    def estimates(self) -> dict[tuple[str, float | None], LinearEstimate]:
        """Maps from scores to values, by average over contexts, and the probability of one near the full set.

        Raises:
            InputError: when there are too few coalitions.
        """
        on = self.design.on
        match self.sampling:
            case sampling if sampling == ALL:
                return {(SHAPLEY, None): shapley_matrix(on, sampling), (SEMIVALUE, NEAR): all_sets_matrix(on, NEAR)}
            case sampling if sampling == KERNEL:
                return {(SHAPLEY, None): shapley_matrix(on, sampling)}
            case _:
                return {(SEMIVALUE, float(self.stored.design.options[KEPT])): semivalue_matrix(on)}

    def total(self, scale: str) -> ScoreSum:
        """What all units share: the score with all of them less that with none."""
        sample, at = self.samples[scale]
        weights = np.zeros(len(sample.masks))
        weights[at[self.design.on.all(axis=1)][0]] = 1.0
        weights[at[~self.design.on.any(axis=1)][0]] = -1.0
        return ScoreSum.of(sample, weights, self.inference.alpha)

    def together(self, scale: str) -> ScoreSum | None:
        """What the units lose together, each removed by itself; None where some were not."""
        domain, units = self.scales[scale], self.design.parsed()
        masks = domain.single_units(self.design.unit)
        if not masks.keys() >= set(units):
            return None
        sample = domain.sample_of([masks[unit] for unit in units], self.inference.groups)
        weights = np.full(len(sample.masks), -1.0)
        weights[0] = len(units)
        return ScoreSum.of(sample, weights, self.inference.alpha)

    @property
    def about(self) -> dict[str, Any]:
        """The cells that say which domain and design a row is of."""
        design = self.stored.design
        return {**self.stored.domain.identity, "design": design.id, "level": str(design.unit)}

    def told(self, scale: str) -> dict[str, Any]:
        """The cells that say what its values are made of."""
        domain, (sample, _) = self.scales[scale], self.samples[scale]
        return {
            **self.about,
            **{"scale": scale, "metric": domain.metric.name, "unit": domain.metric.unit},
            **{"n": sample.different_examples, "groups": sample.groups, "group": sample.unit},
            **{"coalitions": self.drawn, "exact": self.sampling == ALL, "looks": self.looks},
            "alpha": self.inference.alpha,
        }


def coalition_samples(designs: Sequence[StoredDesign], inference: Inference) -> list[Coalitions]:
    """Every sample of coalitions among some designs; those near the full set come last."""
    found = [Coalitions(one, inference) for one in designs if one.design.kind is DesignKind.COALITION]
    return sorted(found, key=lambda own: own.sampling == INDEPENDENT)


def shapley_table(found: Coalitions) -> pl.DataFrame:
    """A row for each unit, scale and average over contexts.

    Returns:
        Columns of the domain; design, level, address; scale, metric, unit; average: `shapley`, or `semivalue`, where
        each other unit stays on with the probability `kept`; n (examples), groups, group; coalitions; exact: whether
        all sets are known; looks: at how many numbers of coalitions the job may have stopped, 1 where the number was
        fixed; base_score, empty_score: with all units on, and none; value: what the unit adds, above 0 where it helps;
        error_coalitions, error_examples, standard_error: both together; low, high: interval by Student's t, by
        1 - alpha / looks at each look, so that it holds with 1 - alpha wherever the job stopped; alone: what it adds to
        the full set, its effect negated, null where that is not known; alone_low, alone_high: its interval at 1 - alpha
        by a jackknife over groups.

    Raises:
        InputError: when there are too few coalitions.
    """
    tables = [_values(found, scale, *key) for key in found.estimates for scale in found.scales]
    return pl.concat([pl.DataFrame(schema=SHAPLEY_VALUES), *tables])


def _values(found: Coalitions, scale: str, average: str, kept: float | None) -> pl.DataFrame:
    sample, at = found.samples[scale]
    values = values_of(found.estimates[average, kept], sample, at, found.inference.seed)
    empty = np.flatnonzero(~found.design.on.any(axis=1))
    told = found.told(scale) | {"average": average, "kept": kept, "base_score": sample.base_score}
    told |= {"empty_score": float(sample.scores[at[empty[0]]]) if empty.size else None}
    columns = {"address": found.design.units, "value": values.values, **_alone(found, scale)}
    rows = pl.DataFrame({**columns, **values.columns(found.level)}, strict=False)
    rows = rows.with_columns(**{name: pl.lit(value) for name, value in told.items()})
    return rows.select(*SHAPLEY_VALUES).cast(SHAPLEY_VALUES)  # type: ignore[arg-type]


def _alone(found: Coalitions, scale: str) -> dict[str, list[float | None]]:
    """What each unit adds to the full set, on the same examples, with its interval by the examples."""
    domain, inference = found.scales[scale], found.inference
    masks = domain.single_units(found.design.unit)
    sample = domain.sample_of(masks.values(), inference.groups)
    half = student(inference.alpha, sample.groups - 1) * standard_error(sample.effects_without_each)
    ends = {"alone": -sample.effects, "alone_low": -sample.effects - half, "alone_high": -sample.effects + half}
    place = {mask: number for number, mask in enumerate(sample.masks[1:])}
    own = [place.get(masks.get(unit, "")) for unit in found.design.parsed()]
    return {name: [None if at is None else float(values[at]) for at in own] for name, values in ends.items()}


def shapley_pair_table(found: Coalitions) -> pl.DataFrame:
    """A row for each two units and scale: their Shapley interaction; of a sample, a fit of pairs alone.

    Returns:
        Columns of the domain; design, level, a, b; scale, metric, unit, n, coalitions, exact; interaction: what both
        add beyond the sum of what each adds, on average over contexts; errors and interval as of `shapley_table`.
        Nothing where there are too few coalitions, or over 3,000 pairs.
    """
    units = found.design.units
    pairs = len(units) * (len(units) - 1) // 2
    empty = pl.DataFrame(schema=SHAPLEY_PAIRS)
    if found.sampling == INDEPENDENT or pairs > MOST_PAIRS:
        return empty
    try:
        estimate = pair_matrix(found.design.on, sampled=found.sampling == KERNEL)
    except InputError:
        return empty
    return pl.concat([empty, *_interactions(found, estimate)])


def _interactions(found: Coalitions, estimate: LinearEstimate) -> Iterator[pl.DataFrame]:
    units = found.design.units
    first, second = np.triu_indices(len(units), 1)
    for scale, (sample, at) in found.samples.items():
        values = values_of(estimate, sample, at, found.inference.seed)
        columns = {"a": [units[i] for i in first], "b": [units[j] for j in second], "interaction": values.values}
        rows = pl.DataFrame({**columns, **values.columns(found.level)})
        rows = rows.with_columns(**{name: pl.lit(value) for name, value in found.told(scale).items()})
        yield rows.select(*SHAPLEY_PAIRS).cast(SHAPLEY_PAIRS)  # type: ignore[arg-type]
