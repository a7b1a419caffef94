"""A row a relation of syntax, the most frequent ones: the frame of every figure by relation."""

from collections.abc import Iterable, Mapping
from typing import Any

import polars as pl

from analysis.figures.canvas import Drawing
from analysis.figures.interval_rows import Gap, interval_rows

MOST = 20
"""Relations that are drawn, the most frequent ones."""

SCHEMA = {"low": pl.Float64, "high": pl.Float64, "sure": pl.Boolean}


def by_relation(
    marks: Iterable[Mapping[str, Any]],
    every: int,
    name: str,
    about: str,
    x: str,
    *,
    title: str,
    wide: bool,
    data: pl.DataFrame,
) -> Drawing:
    """The marks of some relations, with a last row that says how many more there are.

    Args:
        marks: rows of `interval_rows`; `row` is the relation.
        every: how many relations there are.
        name: name of the drawing.
        about: what it shows, for those who do not see it.
        x: name of the horizontal axis.
        title: what stands above.
        wide: the layout for wide pages.
        data: the data behind it.
    """
    rows = pl.DataFrame(list(marks), schema_overrides=SCHEMA)
    shown = rows["row"].n_unique()
    gap = Gap(shown, f"{every - shown} rarer relations: in the table") if every > shown else None
    return interval_rows(rows, name, f"{about}, {title}", x, title=title, wide=wide, gap=gap, data=data)
