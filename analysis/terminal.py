"""Correlations and pruning curves on the terminal; correlations of many domains are a matrix."""

from typing import Any

import polars as pl
from rich import box
from rich.markup import escape
from rich.table import Table

from analysis.attention_kinds import kind_label
from analysis.effects.head_effects import ALL_KINDS

MOST_PAIRS = 6
"""Pairs of a subject (four domains) that stand below each other; more are a matrix."""

MOST_COLUMNS = 6
"""Domains whose matrix fits into 80 letters; of more each has one line."""


def plain_table(title: str, first: str, *numbers: str) -> Table:
    """A table whose first column is text and whose others are numbers."""
    table = Table(title=escape(title), title_justify="left", title_style="bold", box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column(first, overflow="fold")
    for name in numbers:
        table.add_column(name, justify="right")
    return table


def correlation_table(correlations: pl.DataFrame, title: str = "Correlation of head effects") -> Table:
    """The correlations of one subject: every pair, or a matrix of r, or a line a domain where there are many."""
    overall = correlations.filter(pl.col("kind") == ALL_KINDS)
    if overall.height <= MOST_PAIRS:
        return _rows(correlations, title)
    few = pl.concat([overall["domain_a"], overall["domain_b"]]).n_unique() <= MOST_COLUMNS
    return _matrix(overall, title) if few else _line_a_domain(overall, title)


def curve_table(curves: pl.DataFrame) -> Table:
    """What each pruning curve of one subject comes to: mean score along it and the share of heads that can go."""
    title = f"Pruning curves: mean score, share of heads that can go for {curves['within'][0]:g}"
    table = plain_table(title, "domain", "heads", "mean score", "can go")
    table.columns[2].no_wrap = table.columns[3].no_wrap = True
    table.add_column("order", overflow="fold")
    for row in curves.rows(named=True):
        area, share = f"{row['area']:.2f}", f"{row['share']:.0%}"
        if row["area_low"] is not None:
            area += f" [{row['area_low']:.2f}, {row['area_high']:.2f}]"
            share += f" [{row['share_low']:.0%}, {row['share_high']:.0%}]"
        seeds = f" × {row['curves']}" if row["curves"] > 1 else ""
        kinds = kind_label(row["kinds"])
        table.add_row(*map(escape, (str(row["domain"]), kinds, area, share, f"{row['curve']}{seeds}")))
    return table


def _rows(correlations: pl.DataFrame, title: str) -> Table:
    """One row a pair and attention kind: r with its interval, true r, share of the ceiling, Spearman; or why not."""
    table = plain_table(title, "domains", "heads", "Pearson r", "true r", "share", "Spearman")
    table.add_column("of")
    for row in correlations.rows(named=True):
        kind = "every kind" if row["kind"] == ALL_KINDS else row["kind"]
        table.add_row(
            escape(f"{row['domain_a']} / {row['domain_b']}"),
            str(row["heads"]),
            with_interval(row, "pearson"),
            with_interval(row, "true"),
            _number(row["share"]),
            _number(row["spearman"]),
            escape(row["reason"] or kind),
        )
    return table


def _matrix(overall: pl.DataFrame, title: str) -> Table:
    names = list(dict.fromkeys([*overall["domain_a"], *overall["domain_b"]]))
    cells = {(a, b): r for a, b, r in overall.select("domain_a", "domain_b", "pearson").iter_rows()}
    table = plain_table(f"{title} (Pearson's r)", "", *map(str, range(1, len(names) + 1)))
    for i, name in enumerate(names):
        found = (cells.get((name, other), cells.get((other, name))) for other in names)
        table.add_row(escape(f"{i + 1} {name}"), *("" if j == i else _number(r) for j, r in enumerate(found)))
    return table


def _line_a_domain(overall: pl.DataFrame, title: str) -> Table:
    """Each domain's mean r with the others, and the lowest and highest; the names of which are in the tables."""
    sides = [overall.select(pl.col(f"domain_{side}").alias("domain"), "pearson") for side in "ab"]
    domains = pl.concat(sides).group_by("domain", maintain_order=True)
    found = domains.agg(
        pl.col("pearson").mean().alias("mean"), pl.min("pearson").alias("low"), pl.max("pearson").alias("high")
    )
    table = plain_table(f"{title}: Pearson's r of each domain with the others", "domain", "mean", "lowest", "highest")
    for name, *values in found.sort("domain").iter_rows():
        table.add_row(escape(name), *map(_number, values))
    return table


def with_interval(row: dict[str, Any], name: str, ends: str | None = None) -> str:
    """A correlation as `0.62 [0.45, 0.75]`, with as much of it as there is.

    Args:
        row: of the table of correlations.
        name: its column.
        ends: what the columns of the interval's ends begin with; None for the name.
    """
    low, high = (row[f"{ends or name}_{end}"] for end in ("low", "high"))
    interval = "" if low is None else f" [{_number(low)}, {_number(high)}]"
    return escape(_number(row[name]) + interval)


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.2f}".replace("-", "−")
