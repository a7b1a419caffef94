"""How wide a text is, and in which lines it fits."""

import textwrap
from functools import lru_cache

from matplotlib.font_manager import FontProperties
from matplotlib.textpath import text_to_path

from analysis.figures.canvas.style import TEXT

LINE = 1.35
"""Height of a line of text, in sizes of its type."""


@lru_cache(maxsize=4096)
def text_width(text: str, size: int | float = TEXT, weight: str = "normal") -> float:
    """Inches of a text in DejaVu Sans, which is wide among the fonts of pages; of its widest line."""
    font = FontProperties(family="DejaVu Sans", weight=weight, size=size)
    widths = (text_to_path.get_text_width_height_descent(line, font, False)[0] for line in text.split("\n"))
    return max(widths) / 72


def line_height(size: float = TEXT) -> float:
    """Inches of a line of text."""
    return LINE * size / 72


def lines(text: str, width: float, size: float = TEXT, weight: str = "normal") -> list[str]:
    """A text in lines that are so many inches wide at most; the lines that it has stay apart."""
    return [part for line in text.split("\n") for part in _broken(line, width, size, weight)] if text else []


def _broken(line: str, width: float, size: float, weight: str) -> list[str]:
    """A line broken into lines of fewest letters less, by the width of the letters it has."""
    for letters in range(max(1, len(line)), 0, -1):
        parts = textwrap.wrap(line, letters)
        if all(text_width(part, size, weight) <= width for part in parts):
            return parts
    return [line]
