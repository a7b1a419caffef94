"""Heads by how much they matter on average, and how much that differs between cells (seeds, epochs, domains)."""

from collections.abc import Mapping
from typing import Any

import polars as pl
from matplotlib.ticker import MaxNLocator

from analysis.attention_kinds import by_style, style_of
from analysis.figures.canvas import Drawing, Panel, Sample, Tip, draw, limits, styled
from analysis.figures.canvas.point_names import name_points
from analysis.figures.canvas.style import INK
from analysis.formatting import address, decimal, decimals, ends, signed, unit_name
from study.record.units import UnitLevel

NAMED = 4
"""Heads of largest mean effect that have their name written beside them."""


def head_spreads(heads: pl.DataFrame, cells: str, title: str, name: str, level: UnitLevel = UnitLevel.head) -> Drawing:
    """Mean effect of each head, or other unit, over cells against its spread beyond noise, intervals on both axes.

    Below the dashed lines the effect differs less between cells than it is large: such a head matters in any of them.

    Args:
        heads: rows of `analysis.along.tables.Along.heads` that have a spread, of one line of cells.
        cells: what the cells are called: seeds, epochs, domains.
        title: what stands above.
        name: name of the drawing.
        level: what they are, where they are other units than heads.
    """
    unit, kinds = heads["unit"][0], [kind for kind, _ in by_style(heads)]
    with styled():
        panel = Panel(
            title, 2.4, x=f"mean effect over {cells} ({unit})", y=f"spread over {cells} beyond noise ({unit})"
        )
        panel.key = [Sample(style_of(kind).label, _look(kind)) for kind in kinds] if len(kinds) > 1 else []
        axes = panel.axes
        top = limits(heads, ("spread",), 0.0)[1]
        axes.set(xlim=limits(heads, ("mean", "mean_low", "mean_high"), 0.0), ylim=(-0.1 * top, top))
        axes.axvline(0, color=INK, linewidth=0.5, alpha=0.35, zorder=0)
        for slope in (-1, 1):
            axes.axline((0, 0), slope=slope, color=INK, linewidth=0.6, alpha=0.5, linestyle=(0, (4, 3)), zorder=0)
        axes.xaxis.set_major_locator(MaxNLocator(nbins=6))
        axes.yaxis.set_major_locator(MaxNLocator(nbins=5))
        tips = {}
        named = heads.drop("level").with_columns(level=pl.lit(str(level)))  # not that of the intervals
        for row in named.rows(named=True):
            tips |= _draw_head(panel, row)
        _name_strongest(panel, named, several=len(kinds) > 1)
        about = f"Mean effect of each {level.noun} over {cells} against how much it differs between them, {title}"
        return draw(panel, name, about, heads, tips)


def _draw_head(panel: Panel, row: Mapping[str, Any]) -> dict[str, Tip]:
    """Draw the mark of a head with its intervals; what it says when it is pointed at."""
    gid, look = f"head-{address(row)}", _look(row["kind"])
    style: dict[str, Any] = {"color": look["color"], "linewidth": 0.6, "alpha": 0.3, "zorder": 1}
    panel.axes.hlines(row["spread"], row["mean_low"], row["mean_high"], **style)
    panel.axes.vlines(row["mean"], row["spread_low"], row["spread_high"], **style)
    panel.axes.plot(row["mean"], row["spread"], linestyle="none", gid=gid, **look)
    digits = decimals(row["unit"])
    mean = f"mean {signed(row['mean'], digits)} {row['unit']}{ends(row['mean_low'], row['mean_high'], digits)}"
    spread = f"spread {decimal(row['spread'], digits)}{ends(row['spread_low'], row['spread_high'], digits)}"
    said = f"{address(row)}: {mean}, {spread}; significant in {row['significant']} of {row['cells']}"
    return {gid: Tip(said, address(row))}


def _look(kind: str) -> dict[str, Any]:
    style = style_of(kind)
    return {"marker": style.marker, "color": style.colour, "markersize": 4, "markeredgewidth": 0, "alpha": 0.85}


def _name_strongest(panel: Panel, heads: pl.DataFrame, several: bool) -> None:
    """Write the names of the heads of largest mean effect beside them, where there is room."""
    strongest = heads.sort(pl.col("mean").abs(), descending=True, maintain_order=True).head(NAMED)
    named = [(unit_name(row, several), (row["mean"], row["spread"])) for row in strongest.rows(named=True)]
    name_points(panel, heads.select("mean", "spread").to_numpy(), named)
