"""What a figure becomes: SVG for the page, PDF for a paper, PNG for slides, and the data behind it.

SVG has text as text, a transparent ground and the colour of the page's text, so that it reads in light and dark. It is
as large on a page as it was drawn. The same numbers give the same bytes.
"""

import io
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from html import escape
from typing import Any

import polars as pl
from matplotlib.figure import Figure
from matplotlib.transforms import Bbox

from analysis.figures.canvas.panel import Panel
from analysis.figures.canvas.style import INK, styled

PIXELS = 96
"""Pixels of a page in an inch."""

FONTS = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', sans-serif"
MIXED = r"color-mix(in srgb, \2 60%, currentColor)"
"""The colour of a text: nearer to that of the page's text, so that it reads on its ground, light or dark."""

ALONE = (
    "<style>text{pointer-events:none}[data-head]{pointer-events:all}"
    "svg{color:#1c1f23}@media(prefers-color-scheme:dark){svg{color:#e6e4df}}</style>"
)


@dataclass(frozen=True)
class Drawing:
    """A figure, for a page and for a paper.

    Attributes:
        name: name of its files, without ending; unique among the figures of a page.
        title: what it shows, for those who do not see it.
        svg: one `<svg>` element; takes the colour of the text around it.
        data: the numbers that are drawn, every digit of them.
        panel: what was drawn.
    """

    name: str
    title: str
    svg: str = field(repr=False)
    data: pl.DataFrame = field(repr=False, compare=False)
    panel: Panel = field(repr=False, compare=False)

    @property
    def file(self) -> str:
        """The content of an SVG file of its own, which has no text around it."""
        opening, rest = self.svg.split(">", 1)
        return f'<?xml version="1.0" encoding="utf-8"?>\n{opening}>{ALONE}{rest}\n'

    @property
    def csv(self) -> str:
        """The data as a CSV file."""
        return self.data.write_csv()

    @property
    def figure(self) -> Figure:
        """Matplotlib's figure."""
        return self.panel.figure

    def pdf(self) -> bytes:
        """A PDF file for a paper, without the title, which is the caption's there.

        Fonts are embedded as TrueType, as publishers ask. It takes a while.
        """
        width, height = self.figure.get_size_inches()
        below_title = Bbox.from_bounds(0, 0, width, height - self.panel.heading_height)
        nothing = dict.fromkeys(["CreationDate", "Creator", "Producer"])
        for line in self.panel.heading:
            line.set_visible(False)
        try:
            return _saved(self.figure, format="pdf", metadata=nothing, bbox_inches=below_title)
        finally:
            for line in self.panel.heading:
                line.set_visible(True)

    def png(self, scale: float = 2) -> bytes:
        """A PNG file with a white ground, so many pixels for each of the page."""
        return _saved(self.figure, format="png", dpi=scale * PIXELS, facecolor="white", metadata={"Software": None})

    def _repr_png_(self) -> tuple[bytes, dict[str, float]]:
        """The figure in a notebook, as large as on the page; sites that show notebooks leave SVG out."""
        width, height = self.figure.get_size_inches() * PIXELS
        return self.png(), {"width": round(width), "height": round(height)}


@dataclass(frozen=True)
class Tip:
    """What a mark of a figure says when it is pointed at, and the head that it belongs to (`cross.0.3`), if to one."""

    words: str
    head: str | None = None


def draw(panel: Panel, name: str, title: str, data: pl.DataFrame, tips: Mapping[str, Tip] | None = None) -> Drawing:
    """The figure of a panel on which all is drawn; tips are found by the `gid` of their mark.

    Ids in the SVG begin with the name, so that they are its own on a page of many.
    """
    panel.place()
    nothing = dict.fromkeys(["Date", "Creator", "Format", "Type"])
    svg = _saved(panel.figure, format="svg", metadata=nothing, transparent=True).decode()
    _, content = svg[svg.index("<svg") :].strip().replace(INK, "currentColor").split(">", 1)
    content = re.sub(r"; font-family: [^;\"]*", "", content)
    content = re.sub(r"(<text style=[^>]*)fill: (#(?!ffffff)\w{6})", rf"\1fill: \2; fill: {MIXED}", content)
    content = re.sub(r' (?:d|x|y|transform)="[^"]*"', lambda found: _rounded(found[0]), content)
    content = re.sub(r'<g id="([^"]*)">', lambda found: _tipped(found, tips or {}), content)
    own = name.replace("/", ".")  # it may begin with a digit, as the id of a setting does
    content = re.sub(r'(\bid="|url\(#|href="#)', lambda found: f"{found[1]}{own}.", content)
    width, height = (float(inches) for inches in panel.figure.get_size_inches())
    opening = (
        f'<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" version="1.1" '
        f'width="{PIXELS * width:.1f}" height="{PIXELS * height:.1f}" viewBox="0 0 {72 * width:.2f} {72 * height:.2f}" '
        f'font-family="{FONTS}" role="img" aria-label="{escape(title)}">'
    )
    return Drawing(name, title, opening + content, data, panel)


def _saved(figure: Figure, **options: Any) -> bytes:
    buffer = io.BytesIO()
    with styled():
        figure.savefig(buffer, **options)
    return buffer.getvalue()


def _rounded(attribute: str) -> str:
    """An attribute with two decimals to each number: a hundredth of a point."""
    return re.sub(r"(\.\d\d)\d+", r"\1", attribute)


def _tipped(found: re.Match[str], tips: Mapping[str, Tip]) -> str:
    tip = tips.get(found[1])
    if tip is None:
        return found[0]
    head = "" if tip.head is None else f' data-head="{escape(tip.head)}"'
    return f'<g id="{found[1]}"{head}><title>{escape(tip.words)}</title>'
