"""Figures of sets of units: interactions of pairs, pairs by layer, scores by the size of a set."""

from analysis.figures.sets.interaction_maps import interaction_map
from analysis.figures.sets.pair_graphs import pair_graph
from analysis.figures.sets.size_curves import size_curve

__all__ = ["interaction_map", "pair_graph", "size_curve"]
