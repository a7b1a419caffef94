"""Interactions of pairs as a heat map, units down and across in the order of their clusters; named pairs are marked."""

import numpy as np
import polars as pl
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.colors import Normalize

from analysis.figures.canvas import Drawing, Panel, Tip, draw, styled
from analysis.figures.canvas.panel import WIDTH
from analysis.figures.canvas.style import INK, SMALL
from analysis.figures.heat_maps import DARK, DIVERGING, cell, colour_bar
from analysis.formatting import decimals, signed

MOST_CELLS = 40
"""Units up to which each cell says what it is when it is pointed at; of more there is a picture alone."""

LEAST, MOST, NARROWEST = 0.075, 0.34, 1.95
"""Inches of the side of a cell; of all cells, at least, so that the scale has room for its numbers."""

Matrix = Float[np.ndarray, "units units"]


def interaction_map(
    matrix: Matrix, names: list[str], rows: pl.DataFrame, limit: float, title: str, name: str
) -> Drawing:
    """The interactions of every two of some units, below the diagonal.

    Args:
        matrix: interactions in the order in which units stand; NaN where two are no pair.
        names: short names of the units, in that order.
        rows: the pairs, as `analysis.sets.pairs.pair_table` has them, of one scale, with the short names in `name_a`
            and `name_b`.
        limit: interaction at which the colours saturate.
        title: what stands above.
        name: name of the drawing.
    """
    count = len(names)
    side = max(min(MOST, max(LEAST, (WIDTH - 0.65) / count)), NARROWEST / count)
    place = {unit: number for number, unit in enumerate(names)}
    with styled():
        panel = Panel(title, side * count, width=max(WIDTH, side * count + 0.65), upright=True)
        panel.right = max(panel.right, panel.width - 0.55 - side * count)
        below = np.where(np.tri(count, k=-1, dtype=bool), matrix, np.nan)
        norm = Normalize(-limit, limit)
        tips = _cells(panel.axes, rows, place, norm) if count <= MOST_CELLS else _picture(panel.axes, below, norm)
        _marks(panel.axes, rows, place, limit, 4 if side < 0.12 else 9)
        _axes(panel.axes, names, side)
        unit = rows["unit"][0]
        digits = decimals(unit)
        colour_bar(panel, limit, (f"≤ {signed(-limit, digits)}", "0", f"≥ {signed(limit, digits)} {unit}"))
        data = rows.select("a", "b", "interaction", "low", "high", "p_corrected", "named", "unit")
        return draw(panel, name, f"Interactions of pairs, {title}", data, tips)


def _cells(axes: Axes, rows: pl.DataFrame, place: dict[str, int], norm: Normalize) -> dict[str, Tip]:
    tips = {}
    for row in rows.rows(named=True):
        x, y = sorted((place[row["name_a"]], place[row["name_b"]]))
        gid = f"pair-{x}-{y}"
        cell(axes, x, y, row["interaction"], norm, gid)
        digits = decimals(row["unit"])
        ends = "" if row["low"] is None else f" ({signed(row['low'], digits)} to {signed(row['high'], digits)})"
        called = f", {row['named']}" if row["named"] else ""
        said = f"{row['a']} and {row['b']}: {signed(row['interaction'], digits)} {row['unit']}{ends}{called}"
        tips[gid] = Tip(said, row["a"])
    return tips


def _picture(axes: Axes, below: Matrix, norm: Normalize) -> dict[str, Tip]:
    colours = DIVERGING(norm(np.nan_to_num(below)))
    colours[np.isnan(below)] = 0
    axes.imshow(colours, interpolation="none", aspect="auto")
    return {}


def _marks(axes: Axes, rows: pl.DataFrame, place: dict[str, int], limit: float, size: int) -> None:
    for row in rows.drop_nulls("named").rows(named=True):
        x, y = sorted((place[row["name_a"]], place[row["name_b"]]))
        colour = "white" if abs(row["interaction"]) > DARK * limit else INK
        axes.text(x, y, "*", ha="center", va="center_baseline", fontsize=size, fontweight="bold", color=colour)


def _axes(axes: Axes, names: list[str], side: float) -> None:
    """Names of units beside their rows and below their columns, as many as there is room for."""
    every = max(1, int(np.ceil(0.135 / side)))
    at = range(0, len(names), every)
    axes.set(xlim=(-0.5, len(names) - 0.5), ylim=(len(names) - 0.5, -0.5))
    axes.set_yticks(at, [names[i] for i in at])
    axes.set_xticks(at, [names[i] for i in at], rotation=90)
    axes.tick_params(length=0, labelsize=SMALL)
    axes.spines[:].set_visible(False)
