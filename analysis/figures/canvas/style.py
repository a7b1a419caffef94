"""How every figure looks: colours, dashes, sizes of type."""

from typing import Any

import matplotlib as mpl

INK = "#010203"
"""Stands for the colour of the page's text; becomes `currentColor` in the SVG."""

BLUE, ORANGE, GREEN, GREY = "#2f86c9", "#d9772b", "#1f9e77", "#8a8f96"
"""Told apart by the colour-blind, on light and dark ground."""

SERIES = (("#7d5fc8", "o"), ("#c08a00", "s"), ("#c2477f", "^"), ("#4f8f3a", "D"), ("#3f7f93", "v"), ("#9a6a4a", "P"))
"""Colour and marker of each domain of a figure that shows several; other than those of attention kinds."""

LINES = ("-", (0, (5, 2)), (0, (1, 1.5)), (0, (6, 2, 1, 2)))
"""Tell curves of one colour apart."""

DASHED = (0, (4, 2))
"""The dashes of a line that stands for the model with every head."""

PALE = 0.4
"""Opacity of what is not significant."""

BAND = 0.14
"""Opacity of the band of an interval around a curve."""

SMALL, TEXT, TITLE = 8.0, 8.25, 9.5
"""Sizes of type in points: 10.7, 11 and 12.7 pixels of a page, on which nothing is scaled; none is smaller."""

RC: dict[Any, Any] = {
    "svg.fonttype": "none",
    "svg.hashsalt": "sixteen-heads",
    "pdf.fonttype": 42,
    "text.parse_math": False,
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],
    "font.size": TEXT,
    "axes.linewidth": 0.6,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.unicode_minus": True,
    "xtick.labelsize": SMALL,
    "ytick.labelsize": SMALL,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "xtick.major.size": 2.5,
    "ytick.major.size": 2.5,
    **dict.fromkeys(["text.color", "axes.edgecolor", "axes.labelcolor", "xtick.color", "ytick.color"], INK),
    **dict.fromkeys(["figure.facecolor", "axes.facecolor", "savefig.facecolor"], "none"),
}


def styled() -> Any:
    """The settings of `RC`, to draw and to save within."""
    return mpl.rc_context(RC)
