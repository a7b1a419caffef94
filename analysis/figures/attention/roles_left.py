"""Roles that are left: the share of the heads of each role that an order of removal keeps."""

import polars as pl

from analysis.figures.canvas import Drawing, Panel, Sample, draw, styled
from analysis.figures.canvas.style import DASHED, INK, LINES, SERIES

BY_CHANCE = "any heads"


def roles_left_lines(left: pl.DataFrame, names: dict[str, str], title: str, name: str) -> Drawing:
    """A line for each role, against the share of all heads that are kept; the dashed line is a blind order.

    Args:
        left: rows of `analysis.roles.roles_left.roles_left` of one order.
        names: what people call each role.
        title: what stands above.
        name: name of the drawing.
    """
    blind = {"color": INK, "linewidth": 0.8, "linestyle": DASHED, "alpha": 0.6}
    with styled():
        panel = Panel(title, 2.3, x="heads kept (%)", y="heads of the role that are left (%)")
        panel.axes.plot([0, 100], [0, 100], zorder=0, **blind)
        key = []
        for at, ((role,), own) in enumerate(left.group_by("role", maintain_order=True)):
            colour, marker = SERIES[at % len(SERIES)]
            look = {"color": colour, "marker": marker, "markersize": 3, "linestyle": LINES[at // len(SERIES) % 4]}
            own = own.sort("kept")
            x, y = 100 * own["share_kept"], 100 * own["share_left"]
            panel.axes.plot(x, y, **look)
            label = f"{names.get(str(role), str(role))} ({own['members'][0]})"
            key.append(Sample(label, look))
        panel.axes.set(xlim=(102, -2), ylim=(-4, 104))
        panel.key = [*key, Sample(BY_CHANCE, blind)]
        return draw(panel, name, f"Heads of each role that are left, {title}", left)
