"""Named pairs as a graph: what lies beside what. Layers are columns, units stand in their layer, pairs are lines."""

import numpy as np
import polars as pl
from matplotlib.axes import Axes
from matplotlib.patches import FancyArrowPatch

from analysis.figures.canvas import Drawing, Panel, Sample, Tip, draw, styled
from analysis.figures.canvas.style import INK, SMALL
from analysis.figures.heat_maps import GAIN, HARM
from analysis.formatting import decimals, signed

COLOURS = {"redundant": HARM, "complementary": GAIN}

PAIRED, OTHER = {"color": INK, "alpha": 0.9, "markersize": 3.5}, {"color": INK, "alpha": 0.25, "markersize": 2}
"""Looks of units that are in a named pair, and of all others."""

MOST_NAMES = 40
"""Units in pairs up to which each has its name beside it."""


def pair_graph(units: pl.DataFrame, rows: pl.DataFrame, title: str, name: str) -> Drawing:
    """A line for each named pair, the thicker the larger its interaction.

    Args:
        units: every unit: address, column (its layer), place (in the layer), name (short).
        rows: the named pairs, as `analysis.sets.pairs.pair_table` has them.
        title: what stands above.
        name: name of the drawing.
    """
    at = {row["address"]: row for row in units.rows(named=True)}
    paired = set(rows["a"]) | set(rows["b"])
    tallest = max(units["place"].to_list())
    with styled():
        height = max(1.2, 0.17 * (tallest + 1))
        panel = Panel(title, height, x="layer")
        axes = panel.axes
        tips = _lines(axes, rows, at)
        for address, row in at.items():
            gid, look = f"unit-{address}", PAIRED if address in paired else OTHER
            axes.plot([row["column"]], [row["place"]], marker="o", linestyle="none", zorder=3, gid=gid, **look)
            tips[gid] = Tip(address, address)
            if address in paired and len(paired) <= MOST_NAMES:
                look = {"textcoords": "offset points", "fontsize": SMALL, "va": "center", "zorder": 4}
                axes.annotate(row["name"], (row["column"], row["place"]), (4, 4), **look)
        columns = sorted(units["column"].unique())
        axes.set(xlim=(columns[0] - 0.5, columns[-1] + 0.9), ylim=(tallest + 0.6, -0.8), yticks=[])
        step = -(-len(columns) // 12)
        axes.set_xticks(columns[::step], [f"L{column}" for column in columns[::step]])
        axes.tick_params(length=0)
        axes.spines[:].set_visible(False)
        panel.key = [
            Sample(called, {"color": COLOURS[called], "linestyle": "-"})
            for called in COLOURS
            if called in set(rows["named"])
        ]
        data = rows.select("a", "b", "named", "interaction", "low", "high", "p_corrected", "unit")
        return draw(panel, name, f"Named pairs by layer, {title}", data, tips)


def _lines(axes: Axes, rows: pl.DataFrame, at: dict) -> dict[str, Tip]:
    largest = float(rows["interaction"].abs().max() or 1.0)  # type: ignore[arg-type]
    tips = {}
    for number, row in enumerate(rows.rows(named=True)):
        a, b = at[row["a"]], at[row["b"]]
        same = a["column"] == b["column"]
        gid, digits = f"line-{number}", decimals(row["unit"])
        line = FancyArrowPatch(
            (a["column"], a["place"]),
            (b["column"], b["place"]),
            arrowstyle="-",
            connectionstyle=f"arc3,rad={0.35 if same else 0.12}",
            linewidth=0.8 + 2.2 * np.sqrt(abs(row["interaction"]) / largest),
            color=COLOURS[row["named"]],
            alpha=0.8,
            gid=gid,
        )
        axes.add_patch(line)
        size = f"{signed(row['interaction'], digits)} {row['unit']}"
        tips[gid] = Tip(f"{row['a']} and {row['b']}: {row['named']}, {size}")
    return tips
