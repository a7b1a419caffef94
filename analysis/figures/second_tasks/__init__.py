"""Figures of second tasks: what free heads hold, what that costs the earlier task, and controls side by side."""

from analysis.figures.second_tasks.capacity_curves import capacity_curve, cost_curve
from analysis.figures.second_tasks.control_rows import control_rows, cost_rows
from analysis.figures.second_tasks.taught_heads import taught_heads

__all__ = ["capacity_curve", "control_rows", "cost_curve", "cost_rows", "taught_heads"]
