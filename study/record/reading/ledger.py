"""A ledger of stored rows: which mask and example have one, a bit for each, taken while part after part is read.

It grows as parts are added, each of which is read once; the rows of all are never together in memory. Rows of a cascade
are those that stand: a later part may take their place, and then all parts are read again.
"""

from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

import numpy as np
import polars as pl
from jaxtyping import Bool, Int, UInt8

from study.record.cascade.stage import STAGE
from study.record.cascade.thresholds import read_thresholds
from study.record.packed.mask_table import MaskTableError
from study.record.parts import UNREADABLE, StoreError, refused, unreadable
from study.record.reading.numbered_part import Part, read_numbered
from study.record.reading.standing_parts import standing_parts
from study.record.setting import TOLERANCE
from study.record.store import merge_rows, read_part
from study.record.tables import KEYS, OUTCOMES, Table
from study.record.units import HeadLayout

Numbers = Int[np.ndarray, " rows"]
"""Numbers of masks or examples."""

AT_ONCE = 2**24
"""Masks and examples whose bits are taken apart at once."""


class Ledger:
    """Which rows of a table are stored.

    Attributes:
        number: the number of each mask, by key.
        close_calls: rows stored more than once that differ where it was close.
    """

    columns: Sequence[str] = KEYS
    """Columns of a part that it takes in."""

    def __init__(
        self,
        folder: Path,
        examples: Sequence[str],
        layout: HeadLayout,
        stored: pl.Series,
        table: Table = OUTCOMES,
        within: float = TOLERANCE,
    ) -> None:
        """Nothing is read yet.

        Args:
            folder: the setting's.
            examples: ids of the examples that count.
            layout: the units of its model.
            stored: ids of all examples of the setting, in the order of its file.
            table: the rows.
            within: the tolerance of the setting's outcomes.
        """
        self._folder, self._layout, self._ids, self._table, self._within = folder, layout, stored, table, within
        self._examples = {name: number for number, name in enumerate(examples)}
        self._clear()

    def _clear(self) -> None:
        """Forget all that was read."""
        self.number: dict[str, int] = {}
        self.close_calls = 0
        self._paths: list[Path] = []
        self._tables: dict[str, Int[np.ndarray, " keys"]] = {}
        self._bits = np.zeros((0, -(-len(self._examples) // 8)), dtype=np.uint8)
        self._doubled: set[tuple[str, str]] = set()
        self._is_staged = False

    def update(self) -> bool:
        """Take in what was stored since the last time; whether there was anything.

        Raises:
            StoreError: when parts cannot be read or disagree.
        """
        paths = self._table.parts(self._folder)
        if paths == self._paths:
            return False
        try:
            self._take_in(paths)
        except BaseException:
            self._clear()  # what was taken in by half is nothing to go on from
            raise
        return True

    def _take_in(self, paths: list[Path]) -> None:
        """Take in those of all parts that are new; all anew where one has gone, or rows may have lost their place."""
        known = set(self._paths)
        fresh = [path for path in paths if path not in known]
        if len(fresh) + len(known) > len(paths):
            self._clear()
            fresh = paths
        if is_staged := self._is_staged or any(map(_is_staged, fresh)):
            self._clear()
            fresh = paths
        doubled = [self._add(part) for part in self._parts(fresh, staged=is_staged)]
        if any(doubled):
            self.close_calls = self._agreement(paths)
        self._paths, self._is_staged = paths, is_staged

    def lacking(self, keys: Sequence[str], examples: Sequence[str]) -> Iterator[tuple[str, Bool[np.ndarray, " some"]]]:
        """The masks, by key, that lack rows of some of these examples, and of which."""
        at = np.array([self._examples[name] for name in examples], dtype=np.int64)
        for start in range(0, len(keys), step := max(1, AT_ONCE // max(1, len(at)))):
            some = keys[start : start + step]
            there = self._has(some, at)
            for number in np.flatnonzero(~there.all(axis=1)).tolist():
                yield some[number], ~there[number]

    @property
    def examples(self) -> list[str]:
        """Ids of the examples that count."""
        return list(self._examples)

    def has(self, keys: Sequence[str]) -> Bool[np.ndarray, "masks examples"]:
        """Whether there is a row of each of these masks and of each example."""
        return self._has(keys, np.arange(len(self._examples)))

    def _has(self, keys: Sequence[str], at: Numbers) -> Bool[np.ndarray, "masks some"]:
        """Whether there is a row of each mask and of each example, by number."""
        numbers = np.array([self.number.get(key, -1) for key in keys], dtype=np.int64)
        bits = np.concatenate([self._bits, np.zeros((1, self._bits.shape[1]), dtype=np.uint8)])[numbers]
        return np.unpackbits(bits, axis=1, bitorder="little")[:, at].astype(bool)

    def counts(self) -> Int[np.ndarray, " masks"]:
        """How many of the examples each mask has, by number."""
        return np.bitwise_count(self._bits[: len(self.number)]).sum(axis=1, dtype=np.int64)

    def _add(self, part: Part) -> bool:
        """Take in the rows of a part that are new, of examples that count; whether some were there before."""
        mask, example = self._numbers(part)
        rows = part.rows
        if (example < 0).any():
            rows, mask, example = rows.filter(pl.Series(example >= 0)), mask[example >= 0], example[example >= 0]
        is_new = self._see(mask, example)
        if not is_new.all():
            others = part.named(rows.filter(pl.Series(~is_new)))
            self._doubled.update(others.select(KEYS).iter_rows())  # type: ignore[arg-type]
            rows, mask, example = rows.filter(pl.Series(is_new)), mask[is_new], example[is_new]
        self._take(part, rows, mask, example)
        return not is_new.all()

    def _see(self, mask: Numbers, example: Numbers) -> Bool[np.ndarray, " rows"]:
        """Mark masks and examples as stored; which of them were not, the first of those that stand here twice."""
        bits, place, bit = self._bits.reshape(-1), mask * self._bits.shape[1] + (example >> 3), _bit(example)
        is_new, before = bits[place] & bit == 0, self.counts().sum()
        for one in np.unique(bit):
            bits[place[bit == one]] |= one  # one bit at a time, so that two rows of one byte do not undo each other
        if self.counts().sum() - before < is_new.sum():
            _, first = np.unique(mask * len(self._examples) + example, return_index=True)
            is_first = np.zeros(len(mask), dtype=bool)
            is_first[first] = True
            is_new &= is_first
        return is_new

    def _take(self, part: Part, rows: pl.DataFrame, mask: Numbers, example: Numbers) -> None:
        """Take in rows of a part that were not there before, of masks and examples by number."""

    def _numbers(self, part: Part) -> tuple[Numbers, Numbers]:
        """The numbers of the masks and the examples of rows; -1 of an example that does not count."""
        mask = self._mask_numbers(part)[part.mask_numbers]
        example = np.array([self._examples.get(name, -1) for name in part.examples], dtype=np.int64)
        return mask, example[part.example_numbers]

    def _mask_numbers(self, part: Part) -> Int[np.ndarray, " keys"]:
        """The numbers here of the masks that the rows of a part point to; masks that are new take the next ones."""
        if part.table in self._tables:
            return self._tables[part.table]
        numbers = np.array([self.number.setdefault(key, len(self.number)) for key in part.masks], dtype=np.int64)
        if part.table:
            self._tables[part.table] = numbers
        if (more := len(self.number) - len(self._bits)) > 0:
            self._grow(max(more, len(self._bits)))  # by doubling
        return numbers

    def _grow(self, masks: int) -> None:
        """Make room for so many masks more."""
        self._bits = np.pad(self._bits, [(0, masks), (0, 0)])

    def _parts(self, paths: Sequence[Path], *, staged: bool) -> Iterator[Part]:
        """The parts; of a cascade the rows that stand."""
        if not staged:
            yield from (self._read(path, self.columns) for path in paths)
            return
        try:
            yield from standing_parts(paths, partial(self._read, columns=None), read_thresholds(paths))
        except ValueError as error:
            raise StoreError(f"{self._folder}: {error}") from error

    def _read(self, path: Path, columns: Sequence[str] | None) -> Part:
        """A part, whose masks must be of this model.

        Raises:
            StoreError: otherwise, and when it cannot be read.
        """
        try:
            part = read_numbered(path, self._ids, columns)
        except UNREADABLE as error:
            raise refused(path.parent, {path: unreadable(error)}) from error
        except MaskTableError as error:
            raise refused(path.parent, {path: str(error)}) from error
        if not part.masks.str.len_bytes().is_in(self._layout.key_lengths).all():
            words = f"it has masks of a model that has not {len(self._layout)} heads"
            raise refused(path.parent, {path: words})
        return part

    def _agreement(self, paths: Sequence[Path]) -> int:
        """How many rows that are stored more than once are close calls; they are read again, and must agree."""
        keys = pl.DataFrame(sorted(self._doubled), schema=dict.fromkeys(KEYS, pl.String), orient="row")
        parts = ((path, read_part(path, lambda: self._ids)) for path in paths)
        again = [
            rows.join(keys, on=list(KEYS), how="semi").with_columns(part=pl.lit(path.name)) for path, rows in parts
        ]
        return merge_rows(pl.concat(again), self._folder, self._table, self._within).close_calls


def _bit(example: Numbers) -> UInt8[np.ndarray, " rows"]:
    """The bit of an example within its byte."""
    return (1 << (example & 7)).astype(np.uint8)


def _is_staged(path: Path) -> bool:
    """Whether the rows of a part have stages; that one cannot be read, its reader says."""
    try:
        return STAGE in pl.read_parquet_schema(path)
    except UNREADABLE:
        return False
