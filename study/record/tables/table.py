"""What every kind of stored rows says of itself: its columns, when two of its rows agree, and how its files are named.

A further kind is a file in this folder and a line in `study.record.tables`; what computes its rows is an engine's or
the observer's business. Files are read, written, checked, planned and shared out by what stands here alone.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import polars as pl

from study.record.setting import TOLERANCE
from study.record.tables.agreement import Columns, compare

KEYS = ("mask", "example")


@dataclass(frozen=True)
class Table:
    """One kind of rows, each of a mask and an example; with other options it is another table.

    Attributes:
        kind: begins the names of its part files.
        label: what people call its rows.
        own: columns that every row has besides its keys.
        types: types of columns that do not show in their values: lists that happen to be of one length.
        passes: forward passes that a row costs, where the plain way computes it.
    """

    kind: ClassVar[str]
    label: ClassVar[str]
    own: ClassVar[tuple[str, ...]] = ()
    types: ClassVar[Mapping[str, pl.DataType]] = {}
    passes: ClassVar[float] = 1.0

    @property
    def option(self) -> str:
        """What its numbers depend on besides the setting, as in file names; empty for the usual choice."""
        return ""

    @classmethod
    def parse(cls, option: str) -> "Table":
        """Inverse of `option`.

        Raises:
            ValueError: when there is no such choice.
        """
        if option:
            raise ValueError(f"{cls.kind} have no options")
        return cls()

    @property
    def name(self) -> str:
        """The part of a file name before the time."""
        return f"{self.kind}_{self.option}" if self.option else self.kind

    def __str__(self) -> str:
        """For people."""
        return self.label

    def columns(self, scored: Collection[str]) -> tuple[str, ...]:  # noqa: ARG002
        """The columns that its rows must have; `scored` are those that the metric of the setting needs."""
        return (*KEYS, *self.own)

    def tolerance(self, outcomes: float) -> float:  # noqa: ARG002
        """Within what two computations of its numbers agree, given that of outcomes; mostly that of float32."""
        return TOLERANCE

    def compare(self, columns: Columns, within: float) -> tuple[pl.Expr, pl.Expr]:
        """Whether two rows of one mask and example contradict each other, and whether they differ by a close call."""
        return compare(columns, within)

    def parts(self, folder: Path) -> list[Path]:
        """Its part files, in the order of their names, which is that of time."""
        return sorted(folder.glob(f"{self.name}-*.parquet"))
