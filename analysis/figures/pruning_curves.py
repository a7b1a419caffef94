"""Figures 3 and 4: the score over the share of heads removed, or of groups, layers or MLPs."""

from collections.abc import Iterator

import polars as pl
from matplotlib.ticker import MaxNLocator

from analysis.attention_kinds import STYLES, kind_label
from analysis.curves.order_names import units_removed
from analysis.figures.canvas import Curve, Drawing, Panel, Sample, draw, limits, name_curves, styled
from analysis.figures.canvas.style import BAND, BLUE, DASHED, GREEN, GREY, INK, LINES, ORANGE
from analysis.formatting import score_axis
from study.record.units import UnitLevel

ORDER_COLOURS = {
    "importance": BLUE,
    "ablation": ORANGE,
    "ablation_loss": "#b5487f",
    "random": GREY,
    "oracle": GREEN,
    "reestimated": "#7a5cc0",
    "file": "#8c6d31",
}
CELL_COLOURS = tuple(ORDER_COLOURS.values())
"""Colours of the cells of an axis, one after the other."""

OTHER_COLOUR = "#3f9aa6"
"""The colour of an order that has none of its own."""


def pruning_curves(
    curves: pl.DataFrame, by: str, title: str, name: str, compared: pl.DataFrame | None = None
) -> Drawing:
    """Figures 3 and 4 of one domain, from `mean_curves` with their bands; seeds of a random order are one line.

    Args:
        curves: the rows of the domain.
        by: what a line stands for: the column `curve` (figure 3), `kinds` (figure 4), or `cell` of one order.
        title: what stands above.
        name: name of the drawing.
        compared: rows of every panel that shares the scale of this one.
    """
    metric, base = curves["metric"][0], curves["base_score"][0]
    units, levels = units_removed(curves), curves["level"].unique()
    whole_model = f"every {UnitLevel(levels[0] if len(levels) == 1 else UnitLevel.head).noun}"
    every_head = {"color": INK, "linewidth": 0.8, "linestyle": DASHED, "alpha": 0.6}
    with styled():
        panel = Panel(title, 2.3, x=f"{units} removed (%)", y=score_axis(metric))
        axes, key, lines = panel.axes, [], []
        axes.axhline(base, zorder=0, **every_head)
        for label, colour, style, line in _lines(curves, by):
            percent = 100 * line["share"]
            axes.fill_between(percent, line["low"], line["high"], color=colour, alpha=BAND, linewidth=0)
            look = {"color": colour, "linestyle": style, "marker": "o", "markersize": 2.5}
            axes.plot(percent, line["score"], **look)
            key.append(Sample(label, look))
            lines.append(Curve(label, colour, percent.to_list(), line["score"].to_list()))
        axes.set(xlim=(-2, 102), ylim=_y_limits(curves if compared is None else compared))
        axes.yaxis.set_major_locator(MaxNLocator(nbins=6))
        whole = Curve(whole_model, INK, [0.0, 100.0], [base, base])
        if not name_curves(panel, [*lines, whole]):
            named = name_curves(panel, lines, [whole])
            panel.key = [*([] if named else key), Sample(whole.name, every_head)]
        data = curves.select("domain", "metric", "level", "kinds", "curve", "curves", "share", "score", "low", "high")
        return draw(panel, name, f"Score over the share of {units} removed, {title}", data)


def _lines(curves: pl.DataFrame, by: str) -> Iterator[tuple[str, str, object, pl.DataFrame]]:
    """Each line with its name, colour and dashes."""
    drawn: dict[str, int] = {}
    for (value,), line in curves.group_by(by, maintain_order=True):
        colour = STYLES[value].colour if value in STYLES else ORDER_COLOURS.get(line["order"][0], OTHER_COLOUR)
        colour = CELL_COLOURS[len(drawn) % len(CELL_COLOURS)] if by == "cell" else colour
        style = LINES[drawn.setdefault(colour, 0) % len(LINES)]
        drawn[colour] += 1
        yield kind_label(str(value)), colour, style, line.sort("share")


def _y_limits(compared: pl.DataFrame) -> tuple[float, float]:
    """Every score and the ends of bands; of scores that are never below 0 no more than a little below it is shown."""
    low, high = limits(compared, ("base_score", "score", "low", "high"))
    below = compared.select(pl.min_horizontal(pl.col("base_score", "score").min())).item() < 0
    return low if below else max(low, -0.05 * high), high
