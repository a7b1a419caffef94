"""Figures, each of a small panel, as SVG for the page and PDF for a paper.

Each takes a `name`, which its files have and which is its own on a page; some take the `title` that stands above it.
"""

from analysis.figures.canvas import Drawing
from analysis.figures.correlation_maps import agreement_maps
from analysis.figures.distributions import distribution
from analysis.figures.dynamics import dynamics
from analysis.figures.heat_maps import colour_limit, heat_map, small_heat_map
from analysis.figures.leave_out import leave_out
from analysis.figures.one_head_left import one_head_against_none
from analysis.figures.pruning_curves import pruning_curves
from analysis.figures.scatters import scatter, small_scatter
from analysis.figures.training_losses import dev_scores, losses

__all__ = [
    "Drawing",
    "agreement_maps",
    "colour_limit",
    "dev_scores",
    "distribution",
    "dynamics",
    "heat_map",
    "leave_out",
    "losses",
    "one_head_against_none",
    "pruning_curves",
    "scatter",
    "small_heat_map",
    "small_scatter",
]
