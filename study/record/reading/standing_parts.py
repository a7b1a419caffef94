"""Parts of a cascade with the rows that stand, read twice: once for the stages, then for the rows.

A byte is kept for each mask and example: the latest stage, and whether it is stored more than once. The rule is that
of `study.record.cascade.merging`.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
from jaxtyping import Bool, Int, UInt8

from study.record.cascade.merging import standing_drafts
from study.record.cascade.stage import EXACT, Stage
from study.record.cascade.thresholds import Thresholds, checked_stages
from study.record.reading.numbered_part import Part

Numbers = Int[np.ndarray, " rows"]


DOUBLED = np.uint8(1)
"""The bit of what is stored more than once; the bits above it are the number of the stage, from 1, and 0 of none."""


class _LatestStages:
    """The latest stage of each mask and example, and whether there are several rows of it."""

    def __init__(self) -> None:
        self._masks: dict[str, int] = {}
        self._examples: dict[str, int] = {}
        self._known = np.zeros((0, 0), dtype=np.uint8)

    def add(self, part: Part) -> None:
        """Learn of the rows of a part."""
        where, stage = self._numbers(part), _stages(part) << DOUBLED
        was = self._known[where]
        np.maximum.at(self._known, where, stage)
        latest = np.flatnonzero(self._known[where] & ~DOUBLED == stage)
        rows, count = np.unique(np.ravel_multi_index(where, self._known.shape)[latest], return_counts=True)
        self._known.flat[rows[count > 1]] |= DOUBLED
        again = latest[was[latest] >= stage[latest]]
        self._known[where[0][again], where[1][again]] |= DOUBLED

    def is_latest(self, part: Part) -> Bool[np.ndarray, " rows"]:
        """Whether each row of a part is of the latest stage."""
        return np.asarray(_stages(part) == self._known[self._numbers(part)] >> DOUBLED)

    def is_doubled(self, part: Part) -> Bool[np.ndarray, " rows"]:
        """Whether the latest stage of what each row is of is stored more than once."""
        return np.asarray(self._known[self._numbers(part)] & DOUBLED > 0)

    def _numbers(self, part: Part) -> tuple[Numbers, Numbers]:
        """The numbers of the masks and examples of a part's rows, for which there is room."""
        masks, examples = (
            np.array([known.setdefault(name, len(known)) for name in names], dtype=np.int64)
            for known, names in ((self._masks, part.masks), (self._examples, part.examples))
        )
        self._grow(len(self._masks), len(self._examples))
        return masks[part.mask_numbers], examples[part.example_numbers]

    def _grow(self, masks: int, examples: int) -> None:
        """Make room for so many; what is too small becomes twice as large."""
        needed, there = (masks, examples), self._known.shape
        room = [(0, max(want - have, have) if want > have else 0) for want, have in zip(needed, there, strict=True)]
        if any(more for _, more in room):
            self._known = np.pad(self._known, room)


def standing_parts(paths: Sequence[Path], read: Callable[[Path], Part], thresholds: Thresholds) -> Iterator[Part]:
    """The parts, each with the rows that stand; exact rows that are stored more than once are in each of theirs.

    Args:
        paths: parts with stages.
        read: reads one of them.
        thresholds: the largest of all parts.

    Raises:
        ValueError: for a stage that there is not.
    """
    stages, doubles = _LatestStages(), list[pl.DataFrame]()
    for part in map(read, paths):
        stages.add(part)
    for part in map(read, paths):
        is_latest, is_draft = stages.is_latest(part), _stages(part) < _number(EXACT)
        doubled = is_latest & is_draft & stages.is_doubled(part)
        if doubled.any():
            doubles.append(part.named(part.rows.filter(pl.Series(doubled))))
        stands = is_latest & ~doubled
        drafts = stands & is_draft
        if drafts.any():
            stands[drafts] = ~thresholds.is_open(part.named(part.rows.filter(pl.Series(drafts)))).to_numpy()
        yield _some(part, stands)
    yield from _once(doubles, thresholds)


def _once(doubles: Iterable[pl.DataFrame], thresholds: Thresholds) -> Iterator[Part]:
    """Drafts that are stored more than once, each once, where they stand."""
    if frames := list(doubles):
        rows = standing_drafts(pl.concat(frames), thresholds)
        every = np.arange(rows.height)
        yield Part("", rows, "", rows["mask"], rows["example"], every, every)


def _some(part: Part, chosen: Bool[np.ndarray, " rows"]) -> Part:
    """A part with some of its rows."""
    if chosen.all():
        return part
    return replace(
        part,
        rows=part.rows.filter(pl.Series(chosen)),
        mask_numbers=part.mask_numbers[chosen],
        example_numbers=part.example_numbers[chosen],
    )


def _stages(part: Part) -> UInt8[np.ndarray, " rows"]:
    """The number of the stage of each row, from 1."""
    return checked_stages(part.rows).to_physical().to_numpy().astype(np.uint8) + np.uint8(1)


def _number(stage: Stage) -> int:
    return list(Stage).index(stage) + 1
