"""The score of sets by how many units they keep: the mean, the extremes, and what chance scores."""

import polars as pl
from matplotlib.ticker import MaxNLocator

from analysis.figures.canvas import Drawing, Panel, Sample, draw, limits, styled
from analysis.figures.canvas.style import BAND, BLUE, DASHED, INK
from analysis.formatting import score_axis


def size_curve(sizes: pl.DataFrame, chance: float | None, units: str, title: str, name: str) -> Drawing:
    """Mean score over the number of units that are on.

    Args:
        sizes: rows of one scale, as `analysis.sets.coalition_sizes.size_table` has them.
        chance: what chance scores; None where there is no such score.
        units: what the units are, as several.
        title: what stands above.
        name: name of the drawing.
    """
    sizes = sizes.sort("size")
    count, look = sizes["units"][0], {"color": BLUE, "marker": "o", "markersize": 2.5, "linewidth": 1.0}
    with styled():
        panel = Panel(title, 1.9, x=f"{units} on, of {count}", y=score_axis(sizes["metric"][0]))
        axes = panel.axes
        axes.fill_between(sizes["size"], sizes["lowest"], sizes["highest"], color=BLUE, alpha=BAND, linewidth=0)
        axes.plot(sizes["size"], sizes["score"], **look)
        bars = sizes.drop_nulls("low")
        axes.vlines(bars["size"], bars["low"], bars["high"], color=BLUE, linewidth=0.8)
        panel.key = [Sample("mean; band: the extremes", look | {"linestyle": "-"})]
        if chance is not None:
            axes.axhline(chance, color=INK, linewidth=0.8, linestyle=DASHED, alpha=0.7)
            panel.key = [*panel.key, Sample("chance", {"color": INK, "linestyle": DASHED, "linewidth": 0.8})]
        also = [] if chance is None else [chance]
        axes.set(xlim=(-0.02 * count, 1.02 * count), ylim=limits(sizes, ("lowest", "highest"), *also))
        axes.xaxis.set_major_locator(MaxNLocator(nbins=6, integer=True))
        return draw(panel, name, f"Score by the size of a set, {title}", sizes)
