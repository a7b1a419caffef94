"""Figures, each of a small panel, as SVG for the page, PDF for a paper and PNG for slides, with the data behind them.

Each takes a `name`, which its files have and which is its own on a page; some take the `title` that stands above it,
and `compared`, the rows of all panels that share its scale.

To draw one more, write a file here with a function that returns a `Drawing`:

    with styled():
        panel = Panel("title", height=2.0, x="epoch", y="score")       # inches of the axes; all else is laid out
        panel.axes.plot(rows["epoch"], rows["score"], color=BLUE, gid="line")
        panel.axes.set(ylim=limits(compared, ["score"]))                # one scale for panels that are compared
        return draw(panel, name, "what it shows", rows, {"line": Tip("said when pointed at", "cross.0.3")})

Colours and sizes are in `canvas.style`. Curves are named by `name_curves`, or by `panel.key`. Numbers with intervals, a
row each (heads, components of variance), are one call of `interval_rows`; a matrix of r is one of `agreement_map`.
"""

from analysis.figures.canvas import Drawing
from analysis.figures.component_rows import component_rows
from analysis.figures.correlation_maps import agreement_map, agreement_maps
from analysis.figures.distributions import distribution
from analysis.figures.dynamics import dynamics
from analysis.figures.forest import forest
from analysis.figures.gates import course_map, open_gates, score_curves
from analysis.figures.heat_maps import colour_limit, group_heat_map, heat_map, small_heat_map
from analysis.figures.interval_rows import Gap, interval_rows
from analysis.figures.kept_maps import kept_map
from analysis.figures.leave_out import leave_out
from analysis.figures.one_head_left import one_head_against_none
from analysis.figures.pruning_curves import pruning_curves
from analysis.figures.scatters import scatter, small_scatter
from analysis.figures.second_tasks import capacity_curve, control_rows, cost_curve, cost_rows, taught_heads
from analysis.figures.sets import interaction_map, pair_graph, size_curve
from analysis.figures.spreads import head_spreads
from analysis.figures.training_losses import dev_scores, losses
from analysis.figures.unit_rows import unit_rows

__all__ = [
    "Drawing",
    "Gap",
    "agreement_map",
    "agreement_maps",
    "capacity_curve",
    "colour_limit",
    "component_rows",
    "control_rows",
    "cost_curve",
    "cost_rows",
    "course_map",
    "dev_scores",
    "distribution",
    "dynamics",
    "forest",
    "group_heat_map",
    "head_spreads",
    "heat_map",
    "interaction_map",
    "interval_rows",
    "kept_map",
    "leave_out",
    "losses",
    "one_head_against_none",
    "open_gates",
    "pair_graph",
    "pruning_curves",
    "scatter",
    "score_curves",
    "size_curve",
    "small_heat_map",
    "small_scatter",
    "taught_heads",
    "unit_rows",
]
