"""Figures of what heads look at: maps of statistics, heads in the plane, roles that are left."""

from analysis.figures.attention.planes import plane_map
from analysis.figures.attention.roles_left import roles_left_lines
from analysis.figures.attention.sentence_maps import sentence_map
from analysis.figures.attention.statistic_maps import statistic_map

__all__ = ["plane_map", "roles_left_lines", "sentence_map", "statistic_map"]
