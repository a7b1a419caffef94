"""Tables of the page: layers by heads or kinds, and one row a head with its effect on every domain."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl

from analysis.effects.head_effects import Measure, of_measure
from study.record.heads import AttentionKind, Head

Row = dict[str, Any]


@dataclass(frozen=True)
class Grid:
    """A table of layers by heads or by attention kinds; a cell is None where nothing was measured."""

    columns: tuple[Any, ...]
    layers: tuple[tuple[int, tuple[Row | None, ...]], ...]
    paper: bool

    @classmethod
    def of(cls, table: pl.DataFrame, column: str, columns: Sequence[Any]) -> "Grid":
        """The rows of a table, each at its `layer` and `column`."""
        cells = {(row["layer"], row[column]): row for row in table.rows(named=True)}
        layers = table["layer"].unique().sort().to_list()
        return cls(
            columns=tuple(columns),
            layers=tuple((layer, tuple(cells.get((layer, name)) for name in columns)) for layer in layers),
            paper=bool(table["paper_effect"].is_not_null().any()),
        )


@dataclass(frozen=True)
class HeadRow:
    """One head with its effect on each domain; layer and head from 1, the address from 0."""

    address: str
    kind: str
    layer: int
    head: int
    cells: tuple[Row | None, ...]

    @property
    def significant(self) -> bool:
        """On some domain."""
        return any(cell and cell["significant"] for cell in self.cells)


def head_rows(effects: pl.DataFrame) -> tuple[HeadRow, ...]:
    """Every head that was removed alone somewhere, in the order of heads; a cell for each domain where any was."""
    found: dict[Head, dict[str, Row]] = {}
    single = of_measure(effects, Measure.ABLATION)
    settings = single["setting_id"].unique(maintain_order=True).to_list()
    for row in single.rows(named=True):
        found.setdefault(Head.from_row(row), {})[row["setting_id"]] = row
    return tuple(
        HeadRow(str(head), head.kind, head.layer + 1, head.index + 1, tuple(map(found[head].get, settings)))
        for head in sorted(found)
    )


def by_kind(table: pl.DataFrame) -> Iterable[tuple[AttentionKind, pl.DataFrame]]:
    """The rows of each attention kind that there are any of."""
    for kind in AttentionKind:
        part = table.filter(pl.col("kind") == str(kind))
        if part.height:
            yield kind, part
