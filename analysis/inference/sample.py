"""Sample: what is resampled. The additive statistics of every mask, summed over groups of examples.

Examples that share a premise or a document are not independent of each other, so whole groups are resampled, swapped
and left out; single examples only where somebody asks for them by name, or no column says what belongs together.
Everything follows from the sums of the groups: a resample is a weight for each group, and the statistics of all masks
on all resamples are one matrix product.

Shapes: `masks` = masks, the base mask (every head on) first; `others` = all but the base; `groups` = units of
resampling; `statistics` = columns of the metric; `resamples` = weightings of the groups.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import polars as pl
from jaxtyping import Bool, Float, Int, Num
from polars import selectors

from analysis.results.read import Domain
from study.record.errors import InputError
from study.record.examples import WEIGHT
from study.record.metrics.statistics import Metric, MetricName
from study.record.scores import counted

AUTO = "auto"
"""Groups of the examples' own column `group`: the premise, the document."""

EXAMPLE = "example"
"""Every example stands for itself."""

GROUP_COLUMN = "group"

BYTES_AT_ONCE = 64 * 2**20
"""That the statistics of the resamples computed at once may take."""

EXACT_IN_FLOAT32 = 2**24
"""Sums of integers below this are exact in float32, whose matrix products are twice as fast."""


@dataclass(frozen=True, eq=False)
class Sample:
    """The outcomes of one domain as group sums.

    Attributes:
        masks: keys of the masks; the first is the base mask.
        metric: what the sums are scored with.
        sums: of the metric's statistics over the examples of each group, times their weights where there are any.
        sizes: examples of each group.
        names: of the groups, in their order: the premise, the document or the example's id.
        unit: what a group is, in the singular: premise, document, example, or a column's name.
        note: why groups are single examples although nobody asked for it; empty otherwise.
    """

    masks: tuple[str, ...]
    metric: Metric
    sums: Int[np.ndarray, "masks groups statistics"]
    sizes: Int[np.ndarray, " groups"]
    names: tuple[str, ...]
    unit: str = EXAMPLE
    note: str = ""

    @classmethod
    def of(cls, domain: Domain, groups: str = AUTO, masks: Sequence[str] | None = None) -> "Sample":
        """The sample of a domain.

        Args:
            domain: its examples and outcomes.
            groups: `auto` (the premise or document, single examples where no column says which), `example`, or any
                column of the examples, such as `genre`.
            masks: which masks, of those that are complete; None for all. The base mask comes first in any case.

        Raises:
            InputError: when the examples have no such column, or a mask lacks outcomes.
        """
        base = domain.layout.full_key
        wanted = domain.rows["mask"].unique(maintain_order=True) if masks is None else masks
        keys = (base, *(key for key in dict.fromkeys(wanted) if key != base))
        column, unit, note = grouping(domain, groups)
        names = domain.examples[column].unique(maintain_order=True)
        sums = _group_sums(domain, keys, column, names)
        sizes = domain.examples.group_by(column, maintain_order=True).len()["len"].to_numpy().astype(np.int64)
        return cls(keys, domain.metric, sums, sizes, tuple(map(str, names)), unit, note)

    def __str__(self) -> str:
        """In words: `1,234 premises of 3,000 examples`; `3,000 examples` where each stands for itself."""
        groups, examples = len(self.sizes), int(self.sizes.sum())
        if self.unit == EXAMPLE:
            return _counted(examples, EXAMPLE)
        return f"{_counted(groups, self.unit)} of {_counted(examples, EXAMPLE)}"

    @property
    def groups(self) -> int:
        """Number of units of resampling."""
        return len(self.sizes)

    @property
    def examples(self) -> int:
        """Number of examples."""
        return int(self.sizes.sum())

    @cached_property
    def totals(self) -> Int[np.ndarray, "masks statistics"]:
        """The statistics of each mask on all examples."""
        return self.sums.sum(axis=1)

    @cached_property
    def scores(self) -> Float[np.ndarray, " masks"]:
        """The score of each mask on all examples."""
        return self.metric.score(self.totals)

    @cached_property
    def effects(self) -> Float[np.ndarray, " others"]:
        """The score of each mask but the base, minus the base score."""
        return self.scores[1:] - self.scores[0]

    @cached_property
    def swap_deviation(self) -> Float[np.ndarray, " others"] | None:
        """The standard deviation of each effect over all swaps, exactly; None where the score is no mean.

        The effect on a mean is a sum over groups of the differences d, and swaps turn their signs at random: the
        variance is the sum of d^2, of accuracy in percent 100^2 sum d^2 / n^2.
        """
        if not self.metric.is_mean:
            return None
        difference = (self.sums[1:, :, 0] - self.sums[0, :, 0]).astype(np.float64)
        root = np.sqrt(np.square(difference).sum(axis=1))
        return self.metric.score(np.stack([root, np.full_like(root, self.totals[0, -1])], axis=-1))

    @cached_property
    def without_each(self) -> Float[np.ndarray, "groups masks"]:
        """The score of each mask on all examples but those of one group, for every group: what a jackknife needs."""
        scores = np.empty((self.groups, len(self.masks)))
        for rows in self.slices(self.groups):
            scores[rows] = self.metric.score((self.totals[:, None] - self.sums[:, rows]).swapaxes(0, 1))
        return scores

    def weighted(self, weights: Num[np.ndarray, "resamples groups"]) -> Float[np.ndarray, "resamples masks"]:
        """The score of each mask where each group counts as often as its weight says.

        Weights may be any numbers; of integers, every sum is exact.
        """
        scores = np.empty((len(weights), len(self.masks)))
        for rows in self.slices(len(weights)):
            scores[rows] = self.metric.score(self._product(weights[rows], self.sums))
        return scores

    def swapped(self, swap: Bool[np.ndarray, "resamples groups"]) -> Float[np.ndarray, "resamples others"]:
        """The effect of each mask after its outcomes and those of the base have changed places in some groups.

        The same groups are swapped for every mask, so that what masks have in common stays in common.
        """
        effects = np.empty((len(swap), len(self.masks) - 1))
        difference = self.sums[1:] - self.sums[0]
        for rows in self.slices(len(swap)):
            moved = self._product(swap[rows].astype(np.int8), difference)
            effects[rows] = self.metric.score(self.totals[1:] - moved) - self.metric.score(self.totals[0] + moved)
        return effects

    def slices(self, count: int) -> Iterator[slice]:
        """The rows 0 to `count` of resamples (or groups left out) in slices whose statistics fit in `BYTES_AT_ONCE`."""
        width = max(len(self.masks) * self.sums.shape[-1], self.groups)
        step = max(1, BYTES_AT_ONCE // (8 * width))
        return (slice(start, min(start + step, count)) for start in range(0, count, step))

    def _product(
        self, weights: Num[np.ndarray, "resamples groups"], sums: Int[np.ndarray, "rows groups statistics"]
    ) -> Float[np.ndarray, "resamples rows statistics"]:
        """Weighted sums over the groups, in float32 where that is exact."""
        rows, _, statistics = sums.shape
        matrix = sums.swapaxes(0, 1).reshape(self.groups, rows * statistics)
        dtype = np.float64
        if np.issubdtype(weights.dtype, np.integer) and weights.size and matrix.size:
            largest = np.abs(weights.astype(np.int64)).sum(axis=1).max() * np.abs(matrix).max()
            dtype = np.float32 if largest < EXACT_IN_FLOAT32 else np.float64
        product = weights.astype(dtype) @ matrix.astype(dtype)
        return product.reshape(len(weights), rows, statistics).astype(np.float64)


def grouping(domain: Domain, groups: str) -> tuple[str, str, str]:
    """The column that groups the examples, what a group is, and why it is not what was asked for.

    Args:
        domain: whose examples.
        groups: as in `Sample.of`.

    Raises:
        InputError: when the examples have no such column.
    """
    if groups == EXAMPLE:
        return EXAMPLE, EXAMPLE, ""
    columns = [name for name in domain.examples.columns if name != EXAMPLE]
    if groups == AUTO:
        if GROUP_COLUMN not in columns:
            return EXAMPLE, EXAMPLE, "no column says which examples belong together, so each stands for itself"
        return GROUP_COLUMN, _unit(domain), ""
    if groups not in columns:
        raise InputError(
            f"the examples of {domain.data} have no column '{groups}' to group by: "
            f"there are {', '.join([EXAMPLE, *columns])}"
        )
    return groups, _unit(domain) if groups == GROUP_COLUMN else groups, ""


def _unit(domain: Domain) -> str:
    """What the column `group` holds."""
    if domain.metric.name is not MetricName.ACCURACY:
        return "document"
    return "premise" if "text_2" in domain.examples.columns else GROUP_COLUMN


def _group_sums(
    domain: Domain, keys: Sequence[str], column: str, names: pl.Series
) -> Int[np.ndarray, "masks groups statistics"]:
    """The metric's statistics of these masks, summed over the groups, in the order of both."""
    statistics = list(domain.metric.statistics)
    rows = domain.rows.filter(pl.col("mask").is_in(list(keys)))
    rows = rows.select("mask", "example", selectors.by_name(*statistics, WEIGHT, require_all=False))
    rows = rows.with_columns(selectors.float().fill_nan(None))
    rows = rows.select("mask", "example", *counted(rows, domain.metric))
    counts = dict(rows.drop_nulls(statistics).group_by("mask").len().iter_rows())
    lacking = [key for key in keys if counts.get(key, 0) != domain.examples.height]
    if lacking:
        raise InputError(
            f"{domain.data}: mask {lacking[0]} has outcomes of {counts.get(lacking[0], 0)} of the "
            f"{domain.examples.height} examples; every mask is compared on the same ones"
        )
    if names.null_count():
        raise InputError(f"{domain.data}: some examples have no '{column}', by which they are grouped")
    place = domain.examples[column].replace_strict(names, pl.Series(np.arange(names.len())))
    summed = (
        rows.join(domain.examples.select("example", _group=place), on="example")
        .join(pl.DataFrame({"mask": list(keys), "_mask": np.arange(len(keys))}), on="mask")
        .group_by("_mask", "_group")
        .agg(pl.col(statistics).sum())
    )
    sums = np.zeros((len(keys), names.len(), len(statistics)), dtype=np.int64)
    sums[summed["_mask"].to_numpy(), summed["_group"].to_numpy()] = summed.select(statistics).to_numpy()
    return sums


def _counted(number: int, noun: str) -> str:
    """`1 premise`, `1,234 premises`; values of a column keep its name."""
    if noun in ("premise", "document", EXAMPLE, GROUP_COLUMN):
        return f"{number:,} {noun}{'' if number == 1 else 's'}"
    return f"{number:,} group{'' if number == 1 else 's'} by {noun}"
