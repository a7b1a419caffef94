"""Figures, each of a small panel, as SVG for the page and PDF for a paper."""

from analysis.figures.agreement import agreement_map, agreement_maps
from analysis.figures.curves import pruning_curves
from analysis.figures.distributions import distribution
from analysis.figures.drawing import Drawing
from analysis.figures.dynamics import dynamics
from analysis.figures.heat_maps import colour_limit, heat_map
from analysis.figures.layers import one_head_against_none
from analysis.figures.leave_out import leave_out
from analysis.figures.scatters import scatter

__all__ = [
    "Drawing",
    "agreement_map",
    "agreement_maps",
    "colour_limit",
    "distribution",
    "dynamics",
    "heat_map",
    "leave_out",
    "one_head_against_none",
    "pruning_curves",
    "scatter",
]
