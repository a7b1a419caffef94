"""Figures of gates: heads kept against score, and gates over the steps of a training."""

from analysis.figures.gates.course_maps import course_map
from analysis.figures.gates.open_gates import open_gates
from analysis.figures.gates.score_curves import score_curves

__all__ = ["course_map", "open_gates", "score_curves"]
