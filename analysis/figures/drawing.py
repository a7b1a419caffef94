"""How every figure looks, and how it becomes SVG and PDF.

Every figure is one small panel (a domain, a pair of domains, a domain and an attention kind), so that a page can lay
them out for its width. SVG has text as text, a transparent ground and the colour of the page's text, so that it reads
in light and dark; PDF is for a paper. The same numbers give the same bytes.
"""

import io
import re
import textwrap
from collections.abc import Mapping
from dataclasses import dataclass, field
from html import escape
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.textpath import text_to_path

INK = "#010203"
"""Stands for the colour of the page's text; becomes `currentColor` in the SVG."""

BLUE, ORANGE, GREEN, GREY = "#2f86c9", "#d9772b", "#1f9e77", "#8a8f96"
"""Told apart by the colour-blind, on light and dark ground."""

LINES = ("-", (0, (5, 2)), (0, (1, 1.5)), (0, (6, 2, 1, 2)))
"""Tell curves of one colour apart."""

DASHED = (0, (4, 2))
"""The dashes of a line that stands for the model with every head."""

RC: dict[Any, Any] = {
    "svg.fonttype": "none",
    "svg.hashsalt": "sixteen-heads",
    "pdf.fonttype": 42,
    "text.parse_math": False,
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],
    "font.size": 8.5,
    "axes.titlesize": 9.5,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.linewidth": 0.6,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.unicode_minus": True,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "xtick.major.size": 2.5,
    "ytick.major.size": 2.5,
    "legend.frameon": False,
    "legend.fontsize": 8,
    **dict.fromkeys(["text.color", "axes.edgecolor", "axes.labelcolor", "axes.titlecolor", "xtick.color"], INK),
    **dict.fromkeys(["ytick.color", "legend.labelcolor"], INK),
    **dict.fromkeys(["figure.facecolor", "axes.facecolor", "savefig.facecolor"], "none"),
}

FONTS = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', sans-serif"
ALONE = (
    "<style>text{pointer-events:none}[data-head]{pointer-events:all}"
    "svg{color:#1c1f23}@media(prefers-color-scheme:dark){svg{color:#e6e4df}}</style>"
)

BESIDE_TITLE = 0.62
"""Inches of a figure's width that its title does not have: the axis before it, and the margin."""

TITLE = FontProperties(family="DejaVu Sans", weight="bold", size=9.5)
"""As titles are drawn (`RC`); wide among the fonts of pages."""

LEGEND_BELOW: dict[str, Any] = {"loc": "outside lower center", "columnspacing": 1}


@dataclass(frozen=True)
class Drawing:
    """A figure, for a page and for a paper.

    Attributes:
        name: name of its files, without ending; unique among the figures of a page.
        title: what it shows, for those who do not see it.
        svg: one `<svg>` element; takes the colour of the text around it.
        figure: what was drawn.
    """

    name: str
    title: str
    svg: str
    figure: Figure = field(repr=False, compare=False)

    @property
    def file(self) -> str:
        """The content of an SVG file of its own, which has no text around it."""
        opening, rest = self.svg.split(">", 1)
        return f'<?xml version="1.0" encoding="utf-8"?>\n{opening}>{ALONE}{rest}\n'

    def pdf(self) -> bytes:
        """A PDF file of one page for a paper, its fonts embedded as TrueType, as publishers ask; takes a while."""
        buffer = io.BytesIO()
        with styled():
            self.figure.savefig(buffer, format="pdf", metadata=dict.fromkeys(["CreationDate", "Creator", "Producer"]))
        return buffer.getvalue()


@dataclass(frozen=True)
class Tip:
    """What a mark of a figure says when it is pointed at, and the head that it belongs to (`cross.0.3`), if to one."""

    words: str
    head: str | None = None


def panel(width: float, height: float) -> tuple[Figure, Axes]:
    """A figure of one panel, in inches; no pyplot, so nothing is shared between figures."""
    figure = Figure(figsize=(width, height), layout="constrained")
    return figure, figure.subplots()


def draw(figure: Figure, name: str, title: str, tips: Mapping[str, Tip] | None = None) -> Drawing:
    """The figure as SVG, whose ids are its own on a page of many; tips are found by the `gid` of their mark."""
    for axes in figure.axes:
        axes.set_title(_wrapped(axes.get_title(loc="left"), figure.get_figwidth()))
    buffer = io.StringIO()
    nothing = dict.fromkeys(["Date", "Creator", "Format", "Type"])
    figure.savefig(buffer, format="svg", metadata=nothing, transparent=True)
    svg = buffer.getvalue()
    svg = svg[svg.index("<svg") :].strip().replace(INK, "currentColor")
    svg = re.sub(r"'DejaVu Sans'(, [\w' -]+)*", FONTS, svg)
    svg = re.sub(r'<g id="([^"]*)">', lambda found: _tipped(found, tips or {}), svg)
    svg = re.sub(r'(\bid="|url\(#|href="#)', rf"\1{name.replace('/', '.')}.", svg)
    label = f' role="img" aria-label="{escape(title)}">'
    return Drawing(name, title, svg.replace(">", label, 1), figure)


def _wrapped(title: str, width: float) -> str:
    """A title in lines that fit into a figure so many inches wide; those it has stay."""
    return "\n".join(_filled(line, 72 * (width - BESIDE_TITLE)) for line in title.split("\n"))


def _filled(line: str, points: float) -> str:
    """A line broken into lines that are so wide at most, by the letters it has."""
    for letters in range(max(1, len(line)), 0, -1):
        filled = textwrap.fill(line, letters)
        if all(
            text_to_path.get_text_width_height_descent(part, TITLE, False)[0] <= points for part in filled.split("\n")
        ):
            return filled
    return line


def _tipped(found: re.Match[str], tips: Mapping[str, Tip]) -> str:
    tip = tips.get(found[1])
    if tip is None:
        return found[0]
    head = "" if tip.head is None else f' data-head="{escape(tip.head)}"'
    return f'<g id="{found[1]}"{head}><title>{escape(tip.words)}</title>'


def ticks(count: int) -> list[int]:
    """1 to `count`, every number or every second one."""
    return list(range(1, count + 1, 1 if count <= 16 else 2))


def styled() -> Any:
    """The settings of `RC`, to draw and to save within."""
    return mpl.rc_context(RC)
