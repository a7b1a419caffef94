"""Maps of kept heads: by how many raters each head is kept, layers down and heads across."""

import polars as pl
from matplotlib.colors import to_rgb
from matplotlib.patches import Rectangle

from analysis.attention_kinds import kind_name
from analysis.figures.canvas import Drawing, Panel, Tip, draw, styled
from analysis.figures.canvas.panel import WIDTH
from analysis.figures.canvas.style import INK, SMALL
from analysis.figures.heat_maps import GAIN, LEAST, MOST, axis_of_cells
from analysis.formatting import address


def kept_map(heads: pl.DataFrame, title: str, name: str) -> Drawing:
    """How many raters keep each head of one attention kind; layers and heads from 0.

    Args:
        heads: rows of one task: kind, layer, head, kept_by, raters, along, who (the raters that keep it).
        title: what stands above.
        name: name of the drawing.
    """
    raters, along = heads["raters"][0], heads["along"][0]
    layers, widest = (1 + max(heads[name].to_list()) for name in ("layer", "head"))
    tips = {}
    with styled():
        side = max(LEAST, (WIDTH - 0.45) / widest)
        height = min(MOST, max(0.2, 0.9 * side)) * layers
        panel = Panel(title, height, x="head", y="layer", width=max(WIDTH, side * widest + 0.45))
        for row in heads.rows(named=True):
            x, y, share = row["head"], row["layer"], row["kept_by"] / raters
            gid = f"cell-{row['kind']}-{y}-{x}"
            cell = Rectangle((x - 0.5, y - 0.5), 1, 1, linewidth=0.4, edgecolor=(*to_rgb(INK), 0.25), gid=gid)
            cell.set_facecolor((*GAIN, share))
            panel.axes.add_patch(cell)
            colour = "white" if share == 1 else INK  # on paler cells the ink of the page is read better
            look = {"ha": "center", "va": "center", "fontsize": SMALL, "color": colour}
            panel.axes.text(x, y, str(row["kept_by"]), fontweight="bold" if share == 1 else "normal", **look)
            who = f" ({along} {row['who']})" if 0 < share < 1 else ""
            tips[gid] = Tip(f"{address(row)}: kept by {row['kept_by']} of {raters}{who}", address(row))
        axis_of_cells(panel.axes, widest, layers)
        about = f"By how many of {raters} each head is kept, {title}, {kind_name(heads['kind'][0])}"
        return draw(panel, name, about, heads, tips)
