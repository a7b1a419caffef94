"""Maps of one statistic of attention: layers down, heads across, the darker the more."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import polars as pl
from matplotlib.colors import LinearSegmentedColormap, Normalize, to_rgb
from matplotlib.patches import Rectangle

from analysis.attention_kinds import kind_name
from analysis.figures.canvas import Drawing, Panel, Tip, draw, styled
from analysis.figures.canvas.lettering import text_width
from analysis.figures.canvas.panel import WIDTH
from analysis.figures.canvas.style import INK, SMALL
from analysis.figures.heat_maps import FLAT, GAIN, LEAST, MOST, TALL, axis_of_cells
from analysis.formatting import address, decimal, ends

DEEPENING = LinearSegmentedColormap.from_list("statistic", [(*GAIN, 0.0), (*GAIN, 1.0)], N=41)
"""Clear where there is nothing, on any ground."""

DARK = 0.75
"""Share of the scale beyond which white is read better on a cell than ink."""

Row = Mapping[str, Any]


def statistic_map(rows: pl.DataFrame, title: str, name: str, *, unit: str, digits: int, top: float) -> Drawing:
    """One statistic of every head of one attention kind; layers and heads from 0.

    Args:
        rows: kind, layer, head, value, low, high of the heads of one kind.
        title: what stands above.
        name: name of the drawing.
        unit: unit of the statistic; shares are shown from 0 to 1.
        digits: decimals of the numbers that are said when a cell is pointed at.
        top: the value at which the colour is full.
    """
    layers, widest = (1 + max(rows[column].to_list()) for column in ("layer", "head"))
    norm, tips = Normalize(0, top, clip=True), {}
    with styled():
        side = max(LEAST, (WIDTH - 0.45) / widest)
        height = min(MOST, max(0.2, 0.62 * side), max(FLAT, TALL / layers)) * layers
        panel = Panel(title, height, x="head", y="layer", width=max(WIDTH, side * widest + 0.45))
        for row in rows.rows(named=True):
            gid, x, y = f"cell-{row['kind']}-{row['layer']}-{row['head']}", row["head"], row["layer"]
            cell = Rectangle((x - 0.5, y - 0.5), 1, 1, linewidth=0.4, edgecolor=(*to_rgb(INK), 0.25), gid=gid)
            cell.set_facecolor(DEEPENING(norm(row["value"])))
            panel.axes.add_patch(cell)
            tips[gid] = Tip(_said(row, unit, digits), address(row))
        axis_of_cells(panel.axes, widest, layers)
        _write_numbers(panel, rows, widest, top, unit)
        colour_scale(panel, top, unit)
        about = f"{title} of each head, {kind_name(rows['kind'][0])}"
        return draw(panel, name, about, rows, tips)


def _said(row: Row, unit: str, digits: int) -> str:
    between = ends(row["low"], row["high"], digits)
    return f"{address(row)}: {decimal(row['value'], digits)}{'' if unit == 'share' else f' {unit}'}{between}"


def _write_numbers(panel: Panel, rows: pl.DataFrame, widest: int, top: float, unit: str) -> None:
    """Numbers with as many decimals as fit; none where none do."""
    room = panel.size[0] / widest - 0.04
    fewest = 2 if unit == "share" else 1
    for digits in range(2, fewest - 2, -1):
        texts = [_short(row["value"], digits, unit) for row in rows.rows(named=True)]
        if max(text_width(text, SMALL) for text in texts) <= room:
            break
    else:
        return
    for row, text in zip(rows.rows(named=True), texts, strict=True):
        colour = "white" if row["value"] > DARK * top else INK
        look = {"ha": "center", "va": "center", "fontsize": SMALL, "color": colour}
        panel.axes.text(row["head"], row["layer"], text, **look)


def _short(value: float, digits: int, unit: str) -> str:
    """A number as it stands in a cell."""
    return short_share(value, digits) if unit == "share" else decimal(value, digits)


def short_share(value: float, digits: int) -> str:
    """`.62`, `1.00`: a share without the zero in front."""
    text = decimal(value, digits)
    return text.replace("0.", ".", 1) if text.startswith("0.") else text


def colour_scale(panel: Panel, top: float, unit: str) -> None:
    """Draw the scale of the colours under a panel."""
    axes = panel.foot(0.09, 0.19)
    colours = np.linspace(0, top, DEEPENING.N)[None]
    axes.pcolormesh(np.linspace(0, top, DEEPENING.N + 1), [0, 1], colours, cmap=DEEPENING, antialiased=False)
    axes.set(xlim=(0, top), yticks=[], xticks=[])
    axes.spines[:].set_visible(False)
    full = "1" if unit == "share" and top == 1 else f"≥ {decimal(top, 2)}{'' if unit == 'share' else f' {unit}'}"
    for at, place, text in (("left", 0, "0"), ("right", 1, full)):
        axes.text(place, -0.6, text, ha=at, va="top", fontsize=SMALL, transform=axes.transAxes)
