"""The matrix of correlations between many domains (genres, seeds, tasks) as a heat map."""

from collections.abc import Iterator, Mapping
from typing import Any

import polars as pl
from matplotlib.colors import Normalize

from analysis.figures.canvas import Drawing, Panel, Tip, draw, styled
from analysis.figures.canvas.lettering import text_width
from analysis.figures.canvas.panel import WIDTH
from analysis.figures.canvas.style import INK, SMALL
from analysis.figures.heat_maps import DARK, cell, colour_bar
from analysis.formatting import decimal, ends, slug

MOST_WRITTEN = 16
"""Domains up to which each cell has its number written in it."""

FEWEST = 3
"""Domains of a subject from which a map says more than a number."""


def agreement_maps(overall: pl.DataFrame, folder: str) -> Iterator[Drawing]:
    """The map of every subject with `FEWEST` domains or more, from the rows of all heads of a table `correlation`."""
    for own in overall.partition_by("subject_id", maintain_order=True):
        if pl.concat([own["domain_a"], own["domain_b"]]).n_unique() >= FEWEST:
            subject, subject_id = own["subject"][0], own["subject_id"][0]
            name = slug(subject if subject == subject_id else f"{subject}-{subject_id}")
            yield agreement_map(own, subject, f"{folder}/{name}")


def agreement_map(overall: pl.DataFrame, title: str, name: str) -> Drawing:
    """R of every two domains of one subject; a cell is empty where there is no r, and says it when it is pointed at.

    Args:
        overall: a row for each two domains: domain_a, domain_b, pearson, pearson_low, pearson_high, reason (for no r).
        title: what stands above.
        name: name of the drawing.
    """
    domains = list(dict.fromkeys([*overall["domain_a"], *overall["domain_b"]]))
    places = {domain: i for i, domain in enumerate(domains)}
    count, norm, tips = len(domains), Normalize(-1, 1), {}
    beside = max(text_width(domain, SMALL) for domain in domains) + 0.3
    side = max(0.3 if count <= MOST_WRITTEN else 0.17, min(0.45, (WIDTH - beside) / count))
    with styled():
        panel = Panel(title, side * count, width=max(WIDTH, beside + side * count), upright=True)
        panel.axes.set(xlim=(-0.5, count - 0.5), ylim=(count - 0.5, -0.5))
        panel.axes.set_xticks(range(count), domains, rotation=90)
        panel.axes.set_yticks(range(count), domains)
        panel.right = panel.width - panel.left - side * count
        panel.axes.tick_params(length=0)
        panel.axes.spines[:].set_visible(False)
        for row in overall.rows(named=True):
            a, b, r = places[row["domain_a"]], places[row["domain_b"]], row["pearson"]
            for x, y in ((a, b), (b, a)):
                gid = f"cell-{x}-{y}"
                cell(panel.axes, x, y, r, norm, gid)
                tips[gid] = Tip(_said(row))
                if r is not None and count <= MOST_WRITTEN:
                    colour = "white" if abs(r) > DARK else INK
                    panel.axes.text(x, y, _short(r), ha="center", va="center", fontsize=SMALL, color=colour)
        colour_bar(panel, 1.0, ("r = −1", "0", "1"))
        columns = ("domain_a", "domain_b", "heads", "pearson", "pearson_low", "pearson_high", "reason")
        data = overall.select(column for column in columns if column in overall.columns)
        return draw(panel, name, f"Correlation between {count} domains, {title}", data, tips)


def _said(row: Mapping[str, Any]) -> str:
    """`home and away: r = .62 (.41 to .77)`, or why there is none."""
    r = row["reason"] if row["pearson"] is None else f"r = {decimal(row['pearson'])}"
    return f"{row['domain_a']} and {row['domain_b']}: {r}{ends(row['pearson_low'], row['pearson_high'])}"


def _short(r: float) -> str:
    """`.62`, `−.10`, `1.0`: two places without the zero in front."""
    text = f"{r:.2f}".replace("0.", ".").replace("-", "−")
    return "1.0" if text == "1.00" else text
