"""Heads by the size of their effect on a later task, the largest first; those that were taught are told apart."""

import polars as pl
from matplotlib.ticker import MaxNLocator

from analysis.figures.canvas import Drawing, Panel, Sample, Tip, draw, styled
from analysis.figures.canvas.style import BLUE, GREY, INK
from analysis.formatting import address, decimals, signed

HEIGHT = 1.7
"""Inches of the axes."""

LOOKS = {True: ("taught", BLUE), False: ("not taught", GREY)}


def taught_heads(heads: pl.DataFrame, title: str, name: str) -> Drawing:
    """A bar for each head that is on, by the size of its effect.

    Args:
        heads: rows of one task, as `analysis.second_tasks.head_sizes.head_tables` has them.
        title: what stands above.
        name: name of the drawing.
    """
    unit, rows = heads["unit"][0], heads.sort("rank")
    with styled():
        panel = Panel(title, HEIGHT, x="heads that are on, by size", y=f"size of the effect ({unit})")
        tips = {}
        for row in rows.rows(named=True):
            gid = f"head-{row['rank']}"
            panel.axes.bar(row["rank"], row["size"], width=0.8, color=LOOKS[row["taught"]][1], linewidth=0, gid=gid)
            tips[gid] = Tip(f"{address(row)}: {signed(row['effect'], decimals(unit))} {unit}", address(row))
        for taught, (_, colour) in LOOKS.items():
            mean = rows.filter(taught=taught)["size"].mean()
            if mean is not None:
                panel.axes.axhline(float(mean), color=colour, linewidth=1.0, linestyle=(0, (4, 2)))  # type: ignore[arg-type]
        panel.axes.set(xlim=(0.3, rows.height + 0.7), ylim=(0, None))
        panel.axes.xaxis.set_major_locator(MaxNLocator(nbins=6, integer=True))
        key = [Sample(label, {"color": colour, "linewidth": 5, "linestyle": "-"}) for label, colour in LOOKS.values()]
        panel.key = [*key, Sample("means", {"color": INK, "linestyle": (0, (4, 2))})]
        return draw(panel, name, f"Sizes of effects of single heads, {title}", rows, tips)
