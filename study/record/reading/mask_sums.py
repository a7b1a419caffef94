"""Sums of a metric's statistics, taken while part after part is read: of each mask, or of each mask and group.

What is kept is a number for each mask, group and statistic, and a bit for each mask and example that was seen: rows
themselves are never together in memory.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import polars as pl
from jaxtyping import Bool, Int, UInt8

from study.record.cascade.stage import STAGE
from study.record.cascade.thresholds import read_thresholds
from study.record.errors import InputError
from study.record.examples import WEIGHT
from study.record.metrics import Metric
from study.record.packed.mask_table import MaskTableError
from study.record.parts import UNREADABLE, StoreError, refused, require_whole, unreadable
from study.record.reading.numbered_part import Part, read_numbered
from study.record.reading.standing_parts import standing_parts
from study.record.scores import with_statistics
from study.record.setting import TOLERANCE, read_setting
from study.record.store import merge_rows, read_examples, read_part
from study.record.tables import KEYS, OUTCOMES
from study.record.units import HeadLayout

Numbers = Int[np.ndarray, " rows"]
"""Numbers of masks or examples."""


@dataclass(frozen=True)
class MaskSums:
    """What was stored of some masks.

    Attributes:
        masks: the masks, by key.
        counts: how many examples each has.
        sums: the metric's statistics, in its order, summed over the examples of each group.
        close_calls: rows stored more than once that differ where it was close.
    """

    masks: tuple[str, ...]
    counts: Int[np.ndarray, " masks"]
    sums: Int[np.ndarray, "masks groups statistics"]
    close_calls: int = 0


class _Seen:
    """Which mask and example were seen, a bit for each."""

    def __init__(self, examples: int) -> None:
        self._bits = np.zeros((0, -(-examples // 8)), dtype=np.uint8)

    def grow(self, masks: int) -> None:
        """Make room for so many masks more."""
        self._bits = np.concatenate([self._bits, np.zeros((masks, self._bits.shape[1]), dtype=np.uint8)])

    def has(self, mask: Numbers, example: Numbers) -> Bool[np.ndarray, " rows"]:
        """Whether each was seen."""
        return self._bits[mask, example >> 3] & _bit(example) != 0

    def add(self, mask: Numbers, example: Numbers) -> None:
        """See each."""
        np.bitwise_or.at(self._bits, (mask, example >> 3), _bit(example))

    def counts(self) -> Int[np.ndarray, " masks"]:
        """How many examples of each mask were seen."""
        return np.bitwise_count(self._bits).sum(axis=1, dtype=np.int64)


def _bit(example: Numbers) -> UInt8[np.ndarray, " rows"]:
    """The bit of an example within its byte."""
    return (1 << (example & 7)).astype(np.uint8)


class _Sums:
    """Sums that grow with each part."""

    def __init__(self, examples: pl.DataFrame, groups: Int[np.ndarray, " examples"], metric: Metric) -> None:
        self._examples, self._groups, self._metric = examples, groups, metric
        self._place = {name: number for number, name in enumerate(examples["example"])}
        self._tables: dict[str, Int[np.ndarray, " keys"]] = {}
        self.number: dict[str, int] = {}
        self._seen = _Seen(examples.height)
        self.sums = np.zeros((0, int(groups.max(initial=-1)) + 1, len(metric.statistics)), dtype=np.int64)
        self.doubled: set[tuple[str, str]] = set()

    def add(self, part: Part) -> None:
        """Take the rows of a part in, but for those of which there is one already."""
        mask, example = self._numbers(part)
        rows = part.rows
        if (example < 0).any():
            rows, mask, example = rows.filter(pl.Series(example >= 0)), mask[example >= 0], example[example >= 0]
        _, first = np.unique(mask * self._examples.height + example, return_index=True)
        is_new = np.zeros(len(mask), dtype=bool)
        is_new[first] = ~self._seen.has(mask[first], example[first])
        if not is_new.all():
            others = part.named(rows.filter(pl.Series(~is_new)))
            self.doubled.update(others.select(KEYS).iter_rows())  # type: ignore[arg-type]
            rows, mask, example = rows.filter(pl.Series(is_new)), mask[is_new], example[is_new]
        self._seen.add(mask, example)
        if not set(self._metric.statistics) <= set(rows.columns):
            rows = with_statistics(part.named(rows), self._examples, self._metric)
        values = rows.select(pl.col(name).cast(pl.Int64) for name in self._metric.statistics).to_numpy()
        np.add.at(self.sums, (mask, self._groups[example]), values)

    def _numbers(self, part: Part) -> tuple[Int[np.ndarray, " rows"], Int[np.ndarray, " rows"]]:
        """The numbers of the masks and the examples of rows; -1 of an example that does not count."""
        mask = self._mask_numbers(part)[part.mask_numbers]
        example = np.array([self._place.get(name, -1) for name in part.examples], dtype=np.int64)
        return mask, example[part.example_numbers]

    def _mask_numbers(self, part: Part) -> Int[np.ndarray, " keys"]:
        """The numbers here of the masks that the rows of a part point to; masks that are new take the next ones."""
        if part.table in self._tables:
            return self._tables[part.table]
        numbers = np.array([self.number.setdefault(key, len(self.number)) for key in part.masks], dtype=np.int64)
        if part.table:
            self._tables[part.table] = numbers
        if (more := len(self.number) - len(self.sums)) > 0:
            more = max(more, len(self.sums))  # grows by doubling
            self._seen.grow(more)
            self.sums = np.concatenate([self.sums, np.zeros((more, *self.sums.shape[1:]), dtype=np.int64)])
        return numbers

    def counts(self) -> Int[np.ndarray, " masks"]:
        """How many examples each mask has."""
        return self._seen.counts()[: len(self.number)]


def read_sums(
    folder: Path,
    metric: Metric,
    examples: pl.DataFrame | None = None,
    groups: Int[np.ndarray, " examples"] | None = None,
    within: float = TOLERANCE,
) -> MaskSums:
    """The sums of all outcomes in a setting's folder, whatever form their parts have.

    Args:
        folder: the setting's.
        metric: the metric that has the statistics; an additive one.
        examples: those that count, with the columns that the metric scores by; all when None.
        groups: the number of the group of each of them, from 0; one group of all when None.
        within: the tolerance of the setting's outcomes.

    Raises:
        InputError: for examples with weights, and a metric that no sums give.
        StoreError: when parts cannot be read or disagree.
    """
    every = read_examples(folder)
    examples, ids = every if examples is None else examples, every["example"]
    if WEIGHT in examples.columns or not metric.is_additive:
        raise InputError(f"{metric.label} of these examples cannot be summed while reading: read their rows")
    groups = np.zeros(examples.height, dtype=np.int64) if groups is None else groups
    sums = _Sums(examples, groups, metric)
    require_whole(folder, folder.name, metric.columns)
    layout = read_setting(folder).layout
    for part in _parts(folder, ids, layout):
        sums.add(part)
    close_calls = _agreement(folder, sums.doubled, ids, within) if sums.doubled else 0
    number = len(sums.number)
    return MaskSums(tuple(sums.number), sums.counts(), sums.sums[:number], close_calls)


def _parts(folder: Path, ids: pl.Series, layout: HeadLayout) -> Iterator[Part]:
    """The parts of a folder; of a cascade the rows that stand.

    Raises:
        StoreError: when one cannot be used.
    """
    paths = OUTCOMES.parts(folder)
    read = partial(_numbered, ids=ids, layout=layout)
    if not any(STAGE in pl.read_parquet_schema(path) for path in paths):
        yield from map(read, paths)
        return
    try:
        yield from standing_parts(paths, read, read_thresholds(paths))
    except ValueError as error:
        raise StoreError(f"{folder}: {error}") from error


def _numbered(path: Path, ids: pl.Series, layout: HeadLayout) -> Part:
    """A part, whose masks must be of this model.

    Raises:
        StoreError: otherwise, and when it cannot be read.
    """
    try:
        part = read_numbered(path, ids)
    except UNREADABLE as error:
        raise refused(path.parent, {path: unreadable(error)}) from error
    except MaskTableError as error:
        raise refused(path.parent, {path: str(error)}) from error
    if not part.masks.str.len_bytes().is_in(layout.key_lengths).all():
        raise refused(path.parent, {path: f"it has masks of a model that has not {len(layout)} heads"})
    return part


def _agreement(folder: Path, doubled: set[tuple[str, str]], ids: pl.Series, within: float) -> int:
    """How many rows that are stored more than once are close calls; they are read again, and must agree."""
    keys = pl.DataFrame(sorted(doubled), schema=dict.fromkeys(KEYS, pl.String), orient="row")
    again = (
        read_part(part, lambda: ids).join(keys, on=list(KEYS), how="semi").with_columns(part=pl.lit(part.name))
        for part in OUTCOMES.parts(folder)
    )
    return merge_rows(pl.concat(again, how="vertical"), folder, OUTCOMES, within).close_calls
