"""Sample: what is resampled. The additive statistics of every mask, summed over groups of examples.

Examples that share a premise or a document are not independent of each other, so whole groups are resampled, swapped
and left out; single examples only where somebody asks for them by name, or no column says what belongs together.
Everything follows from the sums of the groups: a resample is a weight for each group, and the statistics of all masks
on all resamples are one matrix product.

Shapes: `masks` = masks, the base mask (every head on) first; `others` = all but the base; `groups` = units of
resampling; `statistics` = columns of the metric; `resamples` = weightings of the groups.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from jaxtyping import Bool, Float, Int, Num

from study.record.errors import InputError
from study.record.metrics import Metric

EXAMPLE = "example"
"""Every example stands for itself."""

GROUP_COLUMN = "group"

NOUNS = (EXAMPLE, "premise", "document", "template", "paradigm", "pair", "passage", "article", GROUP_COLUMN)
"""What a group is in words; any other name is that of a column, and a group is one of its values."""

BYTES_AT_ONCE = 16 * 2**20
"""That the statistics of the resamples computed at once may take: few enough to stay near the processor."""

EXACT_IN_FLOAT32 = 2**24
"""Sums of integers below this are exact in float32, whose matrix products are twice as fast."""

EXACT_IN_FLOAT64 = 2**53
"""Sums of integers below this are exact in float64."""

HALF = 2**28
"""Where larger integers are parted: their halves are exact in float64, and so are sums of a million of them."""


@dataclass(frozen=True, eq=False)
class Sample:
    """The outcomes of one domain as group sums.

    Attributes:
        masks: keys of the masks; the first is the base mask.
        metric: what the sums are scored with.
        sums: sums of the metric's statistics over each group's examples, times their weights where there are any.
        sizes: number of examples of each group.
        names: names of the groups, in their order: the premise, the document or the example's id.
        unit: what a group is, in the singular: one of `NOUNS`, or a column's name.
        draws: how often each example was studied, each time with another donor: they are in one group.
    """

    masks: tuple[str, ...]
    metric: Metric
    sums: Int[np.ndarray, "masks groups statistics"]
    sizes: Int[np.ndarray, " groups"]
    names: tuple[str, ...]
    unit: str = EXAMPLE
    draws: int = 1

    def __str__(self) -> str:
        """In words: `1,234 premises of 3,000 examples`; `3,000 examples` where each stands for itself."""
        drawn = f", {self.draws} draws of each" if self.draws > 1 else ""
        examples = _counted(self.different_examples, EXAMPLE) + drawn
        return examples if self.unit == EXAMPLE else f"{_counted(self.groups, self.unit)} of {examples}"

    def select(self, masks: Iterable[str]) -> "Sample":
        """The sample of some of the masks, in this order; the base mask comes first in any case.

        Raises:
            InputError: when it has none of such a mask.
        """
        base = self.masks[0]
        keys = (base, *(mask for mask in dict.fromkeys(masks) if mask != base))
        places = {mask: at for at, mask in enumerate(self.masks)}
        lacking = [mask for mask in keys if mask not in places]
        if lacking:
            raise InputError(
                f"there are no outcomes of mask {lacking[0]} on all of the {self.different_examples} examples"
            )
        if keys == self.masks:
            return self  # with all that is known of it already
        at = [places[mask] for mask in keys]
        first = at == list(range(len(at)))  # then a view, not a copy
        return replace(self, masks=keys, sums=self.sums[: len(at)] if first else self.sums[at])

    def merged(self, part: Int[np.ndarray, " groups"], names: tuple[str, ...]) -> "Sample":
        """The sample in fewer groups: `part` has the new place of each group, `names` are those of the new ones."""
        order = np.argsort(part, kind="stable")
        first = np.searchsorted(part[order], np.arange(len(names)))
        sums = np.add.reduceat(self.sums[:, order], first, axis=1, dtype=np.int64)
        return replace(self, sums=sums, sizes=np.bincount(part, self.sizes).astype(np.int64), names=names)

    def part(self, groups: Int[np.ndarray, " some"]) -> "Sample":
        """The sample of some of the groups, by number."""
        names = tuple(self.names[number] for number in groups)
        return replace(self, sums=self.sums[:, groups], sizes=self.sizes[groups], names=names)

    @property
    def groups(self) -> int:
        """Number of units of resampling."""
        return len(self.sizes)

    @property
    def examples(self) -> int:
        """Number of examples; with several draws, each counts as often as it was drawn for."""
        return int(self.sizes.sum())

    @property
    def different_examples(self) -> int:
        """Number of examples, the draws of one counted once."""
        return -(-self.examples // self.draws)

    @cached_property
    def totals(self) -> Int[np.ndarray, "masks statistics"]:
        """The statistics of each mask on all examples."""
        return self.sums.sum(axis=1, dtype=np.int64)

    @cached_property
    def scores(self) -> Float[np.ndarray, " masks"]:
        """The score of each mask on all examples."""
        return self.metric.score(self.totals)

    @property
    def base_score(self) -> float:
        """The score of the base mask."""
        return float(self.scores[0])

    @cached_property
    def effects(self) -> Float[np.ndarray, " others"]:
        """The score of each mask but the base, minus the base score."""
        return self.scores[1:] - self.scores[0]

    @cached_property
    def effects_without_each(self) -> Float[np.ndarray, "groups others"]:
        """The effect of each mask but the base on all examples but those of one group, for every group."""
        return self.without_each[:, 1:] - self.without_each[:, :1]

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
        return np.concatenate(list(self.without_some()))

    def without_some(self) -> Iterator[Float[np.ndarray, "_ masks"]]:
        """The rows of `without_each`, some at a time."""
        for rows in self.slices(self.groups):
            yield self.metric.score((self.totals[:, None] - self.sums[:, rows]).swapaxes(0, 1))

    def weighted(self, weights: Num[np.ndarray, "resamples groups"]) -> Float[np.ndarray, "resamples masks"]:
        """The score of each mask where each group counts as often as its weight says.

        Weights may be any numbers; of integers, every sum is exact.
        """
        scores = np.empty((len(weights), len(self.masks)))
        for rows in self.slices(len(weights)):
            scores[rows] = self.metric.score(self._resampled(weights[rows]))
        return scores

    def undefined(self, weights: Num[np.ndarray, "resamples groups"]) -> Bool[np.ndarray, "resamples masks"]:
        """Where the score of `weighted` is 0/0, and counts as 0: all answers are the same there, say."""
        found = np.empty((len(weights), len(self.masks)), dtype=bool)
        for rows in self.slices(len(weights)):
            found[rows] = self.metric.undefined(self._resampled(weights[rows]))
        return found

    @property
    def changed(self) -> Int[np.ndarray, " others"]:
        """How many groups count otherwise under each mask than under the base."""
        return (self.sums[1:] != self.sums[0]).any(axis=-1).sum(axis=-1)

    def swapped(self, swap: Bool[np.ndarray, "resamples groups"]) -> Float[np.ndarray, "resamples others"]:
        """The effect of each mask after its outcomes and those of the base have changed places in some groups.

        The same groups are swapped for every mask, so that what masks have in common stays in common.
        """
        effects = np.empty((len(swap), len(self.masks) - 1))
        for rows in self.slices(len(swap)):
            moved = self._changes.moved(swap[rows].astype(np.int8))
            effects[rows] = self.metric.score(self.totals[1:] - moved) - self.metric.score(self.totals[0] + moved)
        return effects

    def slices(self, count: int) -> Iterator[slice]:
        """The rows 0 to `count` of resamples (or groups left out) in slices whose statistics fit in `BYTES_AT_ONCE`."""
        width = max(len(self.masks) * self.sums.shape[-1], self.groups)
        step = max(1, BYTES_AT_ONCE // (8 * width))
        return (slice(start, min(start + step, count)) for start in range(0, count, step))

    @cached_property
    def _changes(self) -> "_Changes":
        """What the masks change of the base mask's sums."""
        return _Changes.of(self.sums)

    def _resampled(self, weights: Num[np.ndarray, "resamples groups"]) -> Num[np.ndarray, "resamples masks statistics"]:
        """The statistics of each mask, each group weighted; of whole weights they are exact, and integers."""
        if not np.issubdtype(weights.dtype, np.integer):
            matrix = self.sums.swapaxes(0, 1).reshape(self.groups, -1).astype(np.float64)
            return (weights.astype(np.float64) @ matrix).reshape(len(weights), len(self.masks), -1)
        base, moved = _product(weights, self.sums[0])[:, None], self._changes.moved(weights)
        return np.concatenate([base, base + moved], axis=1)


def narrowed(sums: Int[np.ndarray, "..."]) -> Int[np.ndarray, "..."]:
    """Whole numbers in the smallest type of two bytes or more that holds them: single examples have small ones."""
    largest = int(np.abs(sums).max(initial=0))
    return sums.astype(next(kind for kind in (np.int16, np.int32, np.int64) if largest <= np.iinfo(kind).max))


@dataclass(frozen=True, eq=False)
class _Changes:
    """What masks change of the base mask's sums, each change once: most of a sum is the base's, whatever the mask.

    Groups that no mask changes are left out, and so are statistics: the number of examples is of all masks alike, and
    the length of a hypothesis moves with the number of its words.

    Attributes:
        groups: places of the groups that some mask changes.
        matrix: the changes of each group, one statistic after the other; whole numbers, as float32 where that holds
            them, of which products are fastest.
        places: for each statistic, which of the statistics of `matrix` it changes as; -1 of one that never changes.
        largest: the size of the largest change.
        others: number of masks.
    """

    groups: Int[np.ndarray, " changed"]
    matrix: Num[np.ndarray, "changed columns"]
    places: tuple[int, ...]
    largest: int
    others: int

    @property
    def distinct(self) -> int:
        """How many statistics change, each in a way of its own."""
        return max(self.places, default=-1) + 1

    @classmethod
    def of(cls, sums: Int[np.ndarray, "masks groups statistics"]) -> "_Changes":
        """From the sums of all masks, those of the base mask first."""
        changes = sums[1:] - sums[0]
        groups = np.flatnonzero(changes.any(axis=(0, 2)))
        kept: list[int] = []
        places = []
        for statistic in range(sums.shape[-1]):
            own = changes[..., statistic]
            alike = (at for at, other in enumerate(kept) if np.array_equal(own, changes[..., other]))
            place = next(alike, None) if own.any() else -1
            if place is None:
                place = len(kept)
                kept.append(statistic)
            places.append(place)
        matrix = changes[:, groups][..., kept].transpose(1, 2, 0).reshape(len(groups), len(kept) * len(changes))
        largest = int(np.abs(matrix).max(initial=0))
        fast = matrix.astype(np.float32) if largest < EXACT_IN_FLOAT32 else matrix
        return cls(groups, fast, tuple(places), largest, len(changes))

    def moved(self, weights: Int[np.ndarray, "resamples groups"]) -> Int[np.ndarray, "resamples others statistics"]:
        """The changes of each mask's statistics, each group weighted by a whole number."""
        own = weights if len(self.groups) == weights.shape[1] else weights[:, self.groups]
        product = _product(own, self.matrix, self.largest).reshape(len(weights), self.distinct, self.others)
        moved = np.zeros((len(self.places), len(weights), self.others), dtype=np.int64)
        for statistic, place in enumerate(self.places):
            if place >= 0:
                moved[statistic] = product[:, place]
        return np.moveaxis(moved, 0, -1)


def _product(
    weights: Int[np.ndarray, "resamples groups"], matrix: Num[np.ndarray, "groups columns"], largest: int | None = None
) -> Int[np.ndarray, "resamples columns"]:
    """Weighted sums over the groups, exactly, of whole weights and numbers.

    They are taken in float32 or float64 as long as these hold them, larger ones in two parts.

    Args:
        weights: how often each group counts.
        matrix: what is summed.
        largest: the size of its largest number, where that is known.
    """
    size = int(np.abs(matrix).max(initial=0)) if largest is None else largest
    size *= int(np.abs(weights).sum(axis=1, dtype=np.int64).max(initial=0))
    if size < EXACT_IN_FLOAT64:
        dtype = np.float32 if size < EXACT_IN_FLOAT32 else np.float64
        return (weights.astype(dtype) @ matrix.astype(dtype, copy=False)).astype(np.int64)
    high, low = (weights.astype(np.float64) @ part.astype(np.float64) for part in np.divmod(matrix, HALF))
    return high.astype(np.int64) * HALF + low.astype(np.int64)


def _counted(number: int, noun: str) -> str:
    """`1 premise`, `1,234 premises`; values of a column keep its name."""
    if noun in NOUNS:
        return f"{number:,} {noun}{'' if number == 1 else 's'}"
    return f"{number:,} group{'' if number == 1 else 's'} by {noun}"
