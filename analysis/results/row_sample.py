"""A sample of a metric that no sums give, such as a rank correlation: every resample is scored from its rows.

It answers all that a `Sample` does; only its cost is another: a score takes as many steps as there are examples.

Shapes: as in `analysis.results.sample`, with `examples` in place of `groups` where rows are meant.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
from jaxtyping import Bool, Float, Int, Num

from analysis.results.sample import BYTES_AT_ONCE, Sample

ARRAYS = 8
"""Arrays of examples x resamples that a score needs at once."""


@dataclass(frozen=True, eq=False)
class RowSample(Sample):
    """The outcomes of one domain, row by row.

    Attributes:
        sums: the metric's statistics of each example, in place of their sums.
        group: the group of each example, by number.
    """

    sums: Int[np.ndarray, "masks examples statistics"]
    group: Int[np.ndarray, " examples"] = field(kw_only=True)

    def merged(self, part: Int[np.ndarray, " groups"], names: tuple[str, ...]) -> "RowSample":
        """See `Sample.merged`."""
        sizes = np.bincount(part, self.sizes).astype(np.int64)
        return replace(self, group=part[self.group], sizes=sizes, names=names)

    def part(self, groups: Int[np.ndarray, " some"]) -> "RowSample":
        """See `Sample.part`."""
        place = np.full(self.groups, -1)
        place[groups] = np.arange(len(groups))
        own = place[self.group] >= 0
        names = tuple(self.names[number] for number in groups)
        return replace(
            self, sums=self.sums[:, own], sizes=self.sizes[groups], names=names, group=place[self.group[own]]
        )

    @cached_property
    def scores(self) -> Float[np.ndarray, " masks"]:
        """See `Sample.scores`."""
        return self.weighted(np.ones((1, self.groups), dtype=np.int64))[0]

    @property
    def swap_deviation(self) -> None:  # pyright: ignore[reportIncompatibleVariableOverride] known of means alone
        """None: the score is no mean."""
        return

    def without_some(self) -> Iterator[Float[np.ndarray, "_ masks"]]:
        """See `Sample.without_some`."""
        for rows in self.slices(self.groups):
            left = np.arange(self.groups) != np.arange(self.groups)[rows, None]
            yield self.weighted(left.astype(np.int64))

    def weighted(self, weights: Num[np.ndarray, "resamples groups"]) -> Float[np.ndarray, "resamples masks"]:
        """See `Sample.weighted`; weights are whole numbers."""
        scores = np.empty((len(weights), len(self.masks)))
        for rows in self.slices(len(weights)):
            scores[rows] = self.metric.score_rows(self.sums, self._by_example(weights[rows]))
        return scores

    def undefined(self, weights: Num[np.ndarray, "resamples groups"]) -> Bool[np.ndarray, "resamples masks"]:
        """See `Sample.undefined`."""
        found = np.empty((len(weights), len(self.masks)), dtype=bool)
        for rows in self.slices(len(weights)):
            found[rows] = self.metric.undefined_rows(self.sums, self._by_example(weights[rows]))
        return found

    def swapped(self, swap: Bool[np.ndarray, "resamples groups"]) -> Float[np.ndarray, "resamples others"]:
        """See `Sample.swapped`: the rows of a mask and those of the base are scored as one, each with weight 0 or 1."""
        effects = np.empty((len(swap), len(self.masks) - 1))
        base = np.broadcast_to(self.sums[:1], self.sums[1:].shape)
        both = np.concatenate([self.sums[1:], base], axis=1)
        for rows in self.slices(len(swap)):
            away = self._by_example(swap[rows].astype(np.int64))
            as_mask, as_base = (np.concatenate(parts, axis=1) for parts in ((1 - away, away), (away, 1 - away)))
            effects[rows] = self.metric.score_rows(both, as_mask) - self.metric.score_rows(both, as_base)
        return effects

    @property
    def changed(self) -> Int[np.ndarray, " others"]:
        """See `Sample.changed`."""
        differs = (self.sums[1:] != self.sums[0]).any(axis=-1)
        return np.array([len(np.unique(self.group[row])) for row in differs], dtype=np.int64)

    def slices(self, count: int) -> Iterator[slice]:
        """See `Sample.slices`."""
        step = max(1, BYTES_AT_ONCE // (8 * ARRAYS * self.sums.shape[1]))
        return (slice(start, min(start + step, count)) for start in range(0, count, step))

    def _by_example(self, weights: Num[np.ndarray, "resamples groups"]) -> Int[np.ndarray, "resamples examples"]:
        return weights[:, self.group].astype(np.int64)
