"""Statistics of heads: ratios of stored sums, each with its interval.

A statistic is the sum of a column over all query tokens, divided by that of another. Where a head has no neighbour, as
the first token has no previous one, Clark et al. (2019) divide by all tokens all the same, so that the most that can be
reached is (n - 1) / n; `Neighbours.possible` divides by the tokens that have one.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import cached_property

import numpy as np
import polars as pl
from jaxtyping import Float, Int
from scipy import stats

from analysis.inference.shares import binomial_limits
from analysis.results.readings import READING, HeadSums, Reading
from study.record.designs.jackknife import standard_error
from study.record.tables.statistics import CLARK, KOBAYASHI, OFFSETS, STATISTICS, VOITA
from study.record.units import ADDRESS, HeadLayout


class Neighbours(StrEnum):
    """What the weight on neighbours is divided by."""

    all = "all"
    """All query tokens, as the paper does."""
    possible = "possible"
    """The query tokens that have such a neighbour."""


@dataclass(frozen=True)
class HeadStatistic:
    """A number that a head has.

    Attributes:
        name: its name in tables.
        label: its name for people.
        unit: share, nats, tokens, norm or ratio.
        over: the column that is summed.
        by: the column that it is divided by.
        source: who introduced it.
        digits: decimals with which it is shown.
        within_layer: whether it is divided by its mean over the heads of its layer besides.
        counted: whether it is a share of tokens that are counted, each of which is 0 or 1.
    """

    name: str
    label: str
    unit: str
    over: str
    by: str
    source: str
    digits: int = 3
    within_layer: bool = False
    counted: bool = False


BEST_OFFSET = "best_offset"
"""The column of how often the largest weight is at the offset where it is most often."""

DERIVED = (
    HeadStatistic("relative_entropy", "relative entropy", "share", "entropy", "uniform_entropy", CLARK),
    HeadStatistic("position", "largest weight at one offset", "share", BEST_OFFSET, "queries", VOITA, counted=True),
    HeadStatistic(
        "relative_norm",
        "relative norm of the output",
        "ratio",
        "output_norm",
        "queries",
        "inactive heads: Sandoval-Segura et al. 2025",
        digits=2,
        within_layer=True,
    ),
    HeadStatistic(
        "norm_beginning",
        "norm on [CLS] or BOS",
        "share",
        "weighted_norm_beginning",
        "weighted_norm",
        KOBAYASHI,
    ),
    HeadStatistic(
        "norm_separator",
        "norm on [SEP] or EOS",
        "share",
        "weighted_norm_separator",
        "weighted_norm",
        KOBAYASHI,
    ),
)
"""Statistics that take two of the stored sums."""

PARTS_OF_RATIOS = ("uniform_entropy", "weighted_norm_beginning", "weighted_norm_separator")
"""Stored sums that are shown only as a part of such a ratio."""


def head_statistics(neighbours: Neighbours = Neighbours.all) -> tuple[HeadStatistic, ...]:
    """Every statistic, in the order of tables."""
    stored = tuple(
        HeadStatistic(
            each.name,
            each.label,
            each.unit,
            each.name,
            each.possible if each.possible and neighbours is Neighbours.possible else each.count,
            each.source,
            each.digits,
            counted=each.name == "retrieval",
        )
        for each in STATISTICS
        if each.name not in PARTS_OF_RATIOS
    )
    return stored + DERIVED


@dataclass(frozen=True, eq=False)
class Ratios:
    """One statistic of every head on a sample, and what it is without each group of examples.

    Attributes:
        statistic: which.
        values: one for each head; NaN where there is nothing to divide by.
        over: sums over each group of what is divided.
        by: sums over each group of what it is divided by.
        layers: number of the layer of each head.
    """

    statistic: HeadStatistic
    values: Float[np.ndarray, " heads"]
    over: Float[np.ndarray, "groups heads"]
    by: Float[np.ndarray, "groups heads"]
    layers: Int[np.ndarray, " heads"]

    @classmethod
    def of(cls, statistic: HeadStatistic, sums: HeadSums, layout: HeadLayout) -> "Ratios | None":
        """A statistic of a sample; None where its columns were not measured."""
        columns = sums.columns
        if statistic.over == BEST_OFFSET and "offsets" in columns:
            best = best_offsets(sums)
            columns = {**columns, BEST_OFFSET: columns["offsets"][:, np.arange(len(best)), best]}
        if statistic.over not in columns or statistic.by not in columns:
            return None
        over, by, layers = columns[statistic.over], columns[statistic.by], layer_numbers(layout)
        values = _divided(over.sum(axis=0), by.sum(axis=0))
        return cls(statistic, _by_layer_mean(values, layers) if statistic.within_layer else values, over, by, layers)

    @cached_property
    def without(self) -> Float[np.ndarray, "groups heads"]:
        """The statistic of all examples but those of one group, for every group."""
        left = _divided(self.over.sum(axis=0) - self.over, self.by.sum(axis=0) - self.by)
        return _by_layer_mean(left, self.layers) if self.statistic.within_layer else left

    @property
    def groups(self) -> int:
        """Number of groups of examples."""
        return len(self.over)

    @cached_property
    def error(self) -> Float[np.ndarray, " heads"]:
        """Standard errors, by leaving out one group at a time; NaN of a single group."""
        return standard_error(self.without) if self.groups > 1 else np.full(len(self.values), np.nan)

    def limits(self, alpha: float) -> tuple[Float[np.ndarray, " heads"], Float[np.ndarray, " heads"]]:
        """Low and high ends that leave out alpha / 2 on either side; a one-sided limit at level 1 - alpha / 2 is one.

        By the jackknife over groups with Student's t. Of a share of tokens with fewer than 20 on one side, they are
        exact binomial ones, where tokens of a group count for fewer by the design effect.
        """
        if self.groups < 2:
            nothing = np.full(len(self.values), np.nan)
            return nothing, nothing
        half = stats.t.ppf(1 - alpha / 2, self.groups - 1) * self.error
        low, high = self.values - half, self.values + half
        if self.statistic.counted:
            hits, cases = self.over.sum(axis=0), self.by.sum(axis=0)
            exact_low, exact_high, few = binomial_limits(hits, cases, self.error, alpha)
            low, high = np.where(few, exact_low, low), np.where(few, exact_high, high)
        if self.statistic.unit == "share":
            low, high = np.clip(low, 0, 1), np.clip(high, 0, 1)
        return low, high


def best_offsets(sums: HeadSums) -> Int[np.ndarray, " heads"]:
    """The place in `OFFSETS` where the largest weight of each head is most often."""
    return sums.columns["offsets"].sum(axis=0).argmax(axis=-1)


def layer_numbers(layout: HeadLayout) -> Int[np.ndarray, " heads"]:
    """A number for the attention layer of each head."""
    numbers = {tuple(layer): at for at, layer in enumerate(layout.layers)}
    return np.array([numbers[head.kind, head.layer] for head in layout.heads], dtype=np.int64)


def _divided(over: np.ndarray, by: np.ndarray) -> np.ndarray:
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(by > 0, over / by, np.nan)


def _by_layer_mean(values: Float[np.ndarray, "... heads"], layers: Int[np.ndarray, " heads"]) -> np.ndarray:
    """Values divided by their mean over the heads of their layer."""
    of_layer = (layers[:, None] == np.arange(layers.max() + 1)).astype(np.float64)
    mean = values @ of_layer / of_layer.sum(axis=0)
    return _divided(values, mean[..., layers])


STATISTIC_ROWS = (
    dict.fromkeys(READING, pl.String)
    | ADDRESS
    | dict.fromkeys(["statistic", "unit"], pl.String)
    | dict.fromkeys(["value", "standard_error", "low", "high", "alpha"], pl.Float64)
    | {"queries": pl.Int64, "groups": pl.Int64, "group": pl.String}
)


def statistics_table(reading: Reading, neighbours: Neighbours, alpha: float, groups: str) -> pl.DataFrame:
    """Every statistic of every head under the full mask.

    Returns:
        Columns of the reading; kind, layer, head (from 0); statistic, unit, value; standard_error; low, high and alpha:
        the interval, which leaves out alpha; queries: what it is a mean over; groups, group: how many of what were left
        out, one at a time.
    """
    sums, frames = reading.sums(groups), [pl.DataFrame(schema=STATISTIC_ROWS)]
    for statistic in head_statistics(neighbours):
        ratios = Ratios.of(statistic, sums, reading.layout)
        if ratios is None:
            continue
        low, high = ratios.limits(alpha)
        told = {"statistic": statistic.name, "unit": statistic.unit, "groups": sums.groups, "group": sums.unit}
        numbers = {"value": ratios.values, "standard_error": ratios.error, "low": low, "high": high}
        frame = addresses(reading.layout).with_columns(
            **{name: pl.lit(value) for name, value in {**reading.names, **told, "alpha": alpha}.items()},
            **{name: pl.Series(values).fill_nan(None) for name, values in numbers.items()},
            queries=pl.Series(sums.columns["queries"].sum(axis=0).astype(np.int64)),
        )
        frames.append(frame.select(*STATISTIC_ROWS).cast(STATISTIC_ROWS))  # type: ignore[arg-type]
    return pl.concat(frames)


OFFSET_ROWS = (
    dict.fromkeys(READING, pl.String)
    | ADDRESS
    | {"offset": pl.Int64}
    | dict.fromkeys(["share", "low", "high", "alpha"], pl.Float64)
)


def offsets_table(reading: Reading, alpha: float, groups: str) -> pl.DataFrame:
    """Where the largest weight of every head is.

    Returns:
        Columns of the reading; kind, layer, head; offset: key minus query, -5 to 5, null for all that are farther;
        share, the part of query tokens; low, high and alpha, its interval.
    """
    sums = reading.sums(groups)
    if "offsets" not in sums.columns:
        return pl.DataFrame(schema=OFFSET_ROWS)
    near = sums.columns["offsets"]
    every = np.concatenate([near, sums.columns["queries"][..., None] - near.sum(axis=-1, keepdims=True)], axis=-1)
    usual, frames = next(each for each in DERIVED if each.name == "position"), []
    for at, offset in enumerate((*OFFSETS, None)):
        statistic = replace(usual, over="offset")
        counted = HeadSums({"offset": every[..., at], "queries": sums.columns["queries"]}, sums.sizes, sums.unit)
        ratios = Ratios.of(statistic, counted, reading.layout)
        assert ratios is not None
        low, high = ratios.limits(alpha)
        numbers = {"share": ratios.values, "low": low, "high": high}
        frame = addresses(reading.layout).with_columns(
            **{name: pl.lit(value) for name, value in {**reading.names, "alpha": alpha}.items()},
            **{name: pl.Series(values).fill_nan(None) for name, values in numbers.items()},
            offset=pl.lit(offset, pl.Int64),
        )
        frames.append(frame.select(*OFFSET_ROWS).cast(OFFSET_ROWS))  # type: ignore[arg-type]
    return pl.concat(frames).sort(*READING, maintain_order=True)


def addresses(layout: HeadLayout) -> pl.DataFrame:
    """The heads in their order: columns kind, layer, head."""
    return pl.DataFrame([head.row for head in layout.heads], schema=ADDRESS)


def wide(table: pl.DataFrame, statistics: Sequence[str]) -> Mapping[str, pl.DataFrame]:
    """The rows of some statistics, by name, as far as they were measured."""
    return {name: own for name in statistics if (own := table.filter(statistic=name).drop_nulls("value")).height}
