"""What every figure is drawn on: its look, its layout in inches, and the way to SVG, PDF and PNG."""

from analysis.figures.canvas.direct_labels import Curve, name_curves, name_ends
from analysis.figures.canvas.drawing import Drawing, Tip, draw
from analysis.figures.canvas.panel import Panel, Sample
from analysis.figures.canvas.scale import limits
from analysis.figures.canvas.style import styled

__all__ = ["Curve", "Drawing", "Panel", "Sample", "Tip", "draw", "limits", "name_curves", "name_ends", "styled"]
