"""A table of layers by heads or by attention kinds."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl

Row = dict[str, Any]


@dataclass(frozen=True)
class Grid:
    """A table of layers by heads or by attention kinds.

    Attributes:
        columns: what stands above each column.
        layers: number of each layer and its cells, rows of the table it was made from; None where nothing was measured.
        paper: whether some cell has a number of the paper's.
    """

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
