"""The map of one head on one sentence, as a picture for a paper: a row for each word that looks."""

import polars as pl
from matplotlib.colors import Normalize, to_rgb
from matplotlib.patches import Rectangle

from analysis.figures.attention.statistic_maps import DARK, DEEPENING, colour_scale, short_share
from analysis.figures.canvas import Drawing, Panel, Tip, draw, styled
from analysis.figures.canvas.lettering import text_width
from analysis.figures.canvas.panel import EDGE, WIDTH
from analysis.figures.canvas.style import INK, SMALL
from analysis.formatting import decimal

LEAST, MOST = 0.14, 0.34
"""Inches that a cell is wide and high."""

LEAST_WRITTEN = 0.005
"""The smallest weight that is written into its cell."""

MAP_COLUMNS = {"from_at": pl.Int64, "from": pl.String, "to_at": pl.Int64, "to": pl.String, "weight": pl.Float64}
"""A row for each two words or tokens: places from 0 and texts of the one that looks and of the one that it looks at."""


def sentence_map(rows: pl.DataFrame, title: str, name: str) -> Drawing:
    """How much of the attention of each word (or token) goes to each, from 0, clear, to 1.

    Args:
        rows: columns of `MAP_COLUMNS`, of every pair.
        title: what stands above.
        name: name of the drawing.
    """
    queries, keys = (_texts(rows, side) for side in ("from", "to"))
    beside = EDGE + max(text_width(text, SMALL) for text in queries) + 0.25
    side, norm, tips = min(MOST, max(LEAST, (WIDTH - beside) / len(keys))), Normalize(0, 1), {}
    with styled():
        width = max(WIDTH, beside + side * len(keys))
        panel = Panel(title, side * len(queries), x="to", y="attention from", width=width, upright=True)
        axes = panel.axes
        axes.set(xlim=(-0.5, len(keys) - 0.5), ylim=(len(queries) - 0.5, -0.5))
        axes.set_xticks(range(len(keys)), keys, rotation=90)
        axes.set_yticks(range(len(queries)), queries)
        axes.tick_params(length=0)
        axes.spines[:].set_visible(False)
        panel.right = panel.width - panel.left - side * len(keys)
        is_written = text_width(".00", SMALL) <= side - 0.03
        for y, _, x, _, weight in rows.select(*MAP_COLUMNS).iter_rows():
            gid = f"cell-{y}-{x}"
            cell = Rectangle((x - 0.5, y - 0.5), 1, 1, linewidth=0.3, edgecolor=(*to_rgb(INK), 0.2), gid=gid)
            cell.set_facecolor(DEEPENING(norm(weight)))
            axes.add_patch(cell)
            tips[gid] = Tip(f"{queries[y]} to {keys[x]}: {decimal(weight, 3)}")
            if is_written and weight >= LEAST_WRITTEN:
                look = {"ha": "center", "va": "center", "fontsize": SMALL}
                axes.text(x, y, short_share(weight, 2), color="white" if weight > DARK else INK, **look)
        colour_scale(panel, 1.0, "share")
        return draw(panel, name, f"Attention of {title}", rows, tips)


def _texts(rows: pl.DataFrame, side: str) -> list[str]:
    """The words of a side, in their order."""
    return rows.select(f"{side}_at", side).unique(f"{side}_at").sort(f"{side}_at")[side].to_list()
