"""A panel: axes of a size in inches, with a title, a key and names of its axes around them.

A panel is as wide as a phone shows it unshrunk, so that three stand in a row on a desktop. The axes keep their size
whatever stands around them: panels of one kind are alike, and a second pass of layout is not needed.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.text import Text

from analysis.figures.canvas.lettering import line_height, lines, text_width
from analysis.figures.canvas.style import SMALL, TEXT, TITLE

WIDTH = 3.59
"""Inches: 345 pixels of a page."""

EDGE = 0.04
"""Inches that stay empty around everything."""

GAP = 0.07
"""Inches between the axes and what stands above."""

SAMPLE = 0.22
"""Inches of a stroke in the key."""


@dataclass(frozen=True)
class Sample:
    """An entry of a key: what a mark looks like (options of matplotlib's `Line2D`), and what it stands for."""

    label: str
    look: Mapping[str, Any]

    @property
    def width(self) -> float:
        """Inches of the stroke, the label and what parts it from the next."""
        return SAMPLE + 0.06 + text_width(self.label, SMALL) + 0.14


@dataclass(frozen=True)
class Foot:
    """Axes under all else, such as a scale of colours: inches of their height, and of what stands below them."""

    axes: Axes
    height: float
    below: float


@dataclass
class Panel:
    """One panel, to be made within `styled()`.

    Attributes:
        title: what stands above, in bold; broken into lines where it is long.
        height: inches of the axes.
        x: name of the horizontal axis; below it.
        y: name of the vertical axis; above it, so that nobody turns their head.
        width: inches of the whole.
        right: inches to the right of the axes.
        key: what stands between title and axes: samples of marks with their names.
        upright: whether the names of ticks below stand upright, as long ones do.
    """

    title: str
    height: float
    x: str = ""
    y: str = ""
    width: float = WIDTH
    right: float = 0.13
    key: Sequence[Sample] = ()
    upright: bool = False
    figure: Figure = field(init=False)
    axes: Axes = field(init=False)
    heading: list[Text] = field(init=False, default_factory=list)
    _foot: Foot | None = field(init=False, default=None)

    def __post_init__(self) -> None:
        self.figure = Figure(figsize=(self.width, self.height + 1))
        self.axes = self.figure.add_axes((0, 0, 1, 1))

    def foot(self, height: float, below: float) -> Axes:
        """Axes of so many inches of height under everything, with so many inches below them for their own names."""
        self._foot = Foot(self.figure.add_axes((0, 0, 1, 0.1)), height, below)
        return self._foot.axes

    @property
    def left(self) -> float:
        """Inches to the left of the axes, as the names of its ticks need."""
        widest = max((text_width(name, SMALL) for name in _tick_names(self.axes.yaxis)), default=0.0)
        return EDGE + widest + 0.09

    @property
    def size(self) -> tuple[float, float]:
        """Width and height of the axes, in inches."""
        return self.width - self.left - self.right, self.height

    def place(self) -> None:
        """Give everything its place, once all is drawn: axes, title, key and names of axes."""
        left, (width, height), below = self.left, self.size, self._below
        titles, rows = lines(self.title, self.width - 2 * EDGE, TITLE, "bold"), self._key_rows()
        top = below + height + GAP + len(titles) * line_height(TITLE) + (len(rows) + bool(self.y)) * line_height()
        self.figure.set_size_inches(self.width, top)
        self._put(self.axes, left, below, width, height)
        if self._foot is not None:
            self._put(self._foot.axes, left, EDGE + self._foot.below, width, self._foot.height)
        for line in titles:
            top -= line_height(TITLE)
            self.heading.append(self._write(EDGE, top, line, TITLE, fontweight="bold"))
        for row in rows:
            top -= line_height()
            self._draw_key(row, top)
        self._write(EDGE, top - line_height(), self.y, TEXT)
        for i, line in enumerate(self._x_lines, 1):
            half = text_width(line, TEXT) / 2
            middle = max(EDGE + half, min(left + width / 2, self.width - EDGE - half))
            self._write(middle, below - self._ticks - i * line_height(), line, TEXT, ha="center")

    @property
    def heading_height(self) -> float:
        """Inches that the title takes."""
        return len(self.heading) * line_height(TITLE)

    @property
    def _ticks(self) -> float:
        """Inches that ticks and their names take under the axes."""
        names = [name for name in _tick_names(self.axes.xaxis) if name]
        if self.upright:
            return 0.09 + max((text_width(name, SMALL) for name in names), default=0.0)
        return 0.06 + max((name.count("\n") + 1 for name in names), default=0) * line_height(SMALL)

    @property
    def _below(self) -> float:
        """Inches under the axes."""
        foot = 0.0 if self._foot is None else self._foot.below + self._foot.height + GAP
        return EDGE + foot + len(self._x_lines) * line_height() + self._ticks

    @property
    def _x_lines(self) -> list[str]:
        return lines(self.x, self.width - 2 * EDGE)

    def _put(self, axes: Axes, left: float, bottom: float, width: float, height: float) -> None:
        """Put axes at a place in inches."""
        wide, high = self.figure.get_size_inches()
        axes.set_position((left / wide, bottom / high, width / wide, height / high))

    def _key_rows(self) -> list[list[Sample]]:
        rows: list[list[Sample]] = []
        used = self.width
        for sample in self.key:
            if used + sample.width - 0.14 > self.width - 2 * EDGE:
                rows.append([])
                used = 0.0
            rows[-1].append(sample)
            used += sample.width
        return rows

    def _draw_key(self, row: Sequence[Sample], y: float) -> None:
        x, middle = EDGE, y + 0.6 * TEXT / 72
        for sample in row:
            xs = (x, x + SAMPLE / 2, x + SAMPLE)
            look = {"linestyle": "none", "markevery": [1], **sample.look}
            self.figure.add_artist(Line2D(xs, [middle] * 3, transform=self.figure.dpi_scale_trans, **look))
            self._write(x + SAMPLE + 0.06, y, sample.label, SMALL)
            x += sample.width

    def _write(self, x: float, y: float, text: str, size: float, **look: Any) -> Text:
        """Text at a place in inches from the lower left corner."""
        y += 0.3 * size / 72  # what hangs below the line
        return self.figure.text(x, y, text, transform=self.figure.dpi_scale_trans, fontsize=size, va="baseline", **look)


def _tick_names(axis: Axis) -> list[str]:
    """The names of the ticks that are in sight."""
    low, high = sorted(axis.get_view_interval())
    shown = [place for place in axis.get_majorticklocs() if low <= place <= high]
    return axis.get_major_formatter().format_ticks(shown)
