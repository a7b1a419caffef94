"""Open gates over the steps of a training: how many heads would be kept if it ended there.

Where that is always the same number, as of a learned subset, how many of these heads are kept at the end is shown.
"""

import polars as pl
from matplotlib.ticker import MaxNLocator

from analysis.figures.canvas import Curve, Drawing, Panel, draw, name_ends, styled
from analysis.figures.canvas.style import LINES, SERIES


def open_gates(course: pl.DataFrame, title: str, name: str) -> Drawing:
    """A line for each seed and lambda, or number of heads; dotted, the sum of the probabilities that gates are open.

    Where trainings are of several lengths, their updates stand behind the lambda.

    Args:
        course: rows of one method, as `analysis.gates.course.course_table` has them.
        title: what stands above.
        name: name of the drawing.
    """
    gates, several = course["gates"][0], course["updates"].n_unique() > 1
    fixed = (course.group_by("amount").agg(pl.col("kept").n_unique())["kept"] == 1).all()
    dotted = course["undecided"].is_not_null().all()
    shown, most = "settled" if fixed else "kept", gates if dotted or not fixed else int(course["kept"].to_numpy().max())
    with styled():
        y = "heads that stay to the end" if fixed else f"heads kept, of {gates}"
        panel = Panel(title, 2.1, x="updates", y=y)
        ends = []
        lines = course.group_by("amount", "updates", maintain_order=True)
        for at, ((amount, updates), own) in enumerate(lines):
            colour = SERIES[at % len(SERIES)][0]
            for run in own.partition_by("training_id", maintain_order=True):
                if dotted:
                    look = {"linewidth": 0.9, "linestyle": LINES[2], "alpha": 0.8}
                    panel.axes.plot(run["step"], run["open"], color=colour, **look)
                panel.axes.plot(run["step"], run[shown], color=colour, linewidth=1.0, alpha=0.8)
            mean = own.group_by("step").agg(pl.col(shown).mean()).sort("step")
            label = f"{amount}, {updates:,}" if several and updates is not None else str(amount)
            ends.append(Curve(label, colour, mean["step"].cast(pl.Float64).to_list(), mean[shown].to_list()))
        panel.axes.set(xlim=(0, course["step"].max()), ylim=(-0.03 * most, 1.03 * most))
        panel.axes.xaxis.set_major_locator(MaxNLocator(nbins=5, integer=True))
        panel.axes.yaxis.set_major_locator(MaxNLocator(integer=True))
        name_ends(panel, "", ends)
        numbers = ("gates", "kept", "settled", "undecided", "open", "penalty")
        data = course.select("training_id", "amount", "seed", "step", *numbers)
        return draw(panel, name, f"Heads kept over the updates, {title}", data)
