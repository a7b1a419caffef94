"""Figures 3 and 4: the score over the share of heads removed."""

import polars as pl

from analysis.attention_kinds import STYLES, kind_label
from analysis.figures import drawing
from analysis.figures.drawing import INK, Drawing
from analysis.formatting import SCORE_NAMES

ORDER_COLOURS = {
    "importance": drawing.BLUE,
    "ablation": drawing.ORANGE,
    "ablation_loss": "#b5487f",
    "random": drawing.GREY,
    "oracle": drawing.GREEN,
    "reestimated": "#7a5cc0",
    "file": "#8c6d31",
}


def pruning_curves(curves: pl.DataFrame, by: str, title: str, name: str) -> Drawing:
    """Figures 3 and 4 of one domain, from `mean_curves` with their bands.

    A line stands for each value of the column `by`: `curve` (figure 3) or `kinds` (figure 4).
    """
    metric, base = curves["metric"][0], curves["base_score"][0]
    drawn: dict[str, int] = {}
    with drawing.styled():
        figure, axes = drawing.panel(4.1, 3.3)
        axes.axhline(base, color=INK, linewidth=0.8, linestyle=drawing.DASHED, alpha=0.6, zorder=0)
        for (value,), line in curves.group_by(by, maintain_order=True):
            colour = STYLES[value].colour if value in STYLES else ORDER_COLOURS[line["order"][0]]
            style = drawing.LINES[drawn.setdefault(colour, 0) % len(drawing.LINES)]
            drawn[colour] += 1
            percent = 100 * line["share"]
            axes.fill_between(percent, line["low"], line["high"], color=colour, alpha=0.15, linewidth=0)
            label = kind_label(str(value))
            axes.plot(percent, line["score"], color=colour, linestyle=style, marker="o", markersize=2.5, label=label)
        axes.set_ylim(bottom=max(axes.get_ylim()[0], -0.03 * base))  # no score is below 0, as differences may be
        axes.set(title=title, xlabel="heads removed (%)", ylabel=SCORE_NAMES[metric], xlim=(-2, 102))
        figure.legend(ncols=2, handlelength=2, **drawing.LEGEND_BELOW)
        return drawing.draw(figure, name, f"Score over the share of heads removed, {title}")
