"""Numbers with their intervals, a row each, marks of several series side by side: what a forest plot is made of."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import polars as pl
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle
from matplotlib.ticker import MaxNLocator

from analysis.figures.canvas import Drawing, Panel, Sample, Tip, draw, limits, styled
from analysis.figures.canvas.lettering import text_width
from analysis.figures.canvas.panel import WIDTH
from analysis.figures.canvas.style import INK, PALE, SERIES, SMALL

WIDE = 5.62
"""Inches of the layout for wide pages: 540 pixels. It has the numbers beside the marks."""

MOST_COLUMNS = 3
"""Series up to which the numbers stand beside the marks."""

Row = Mapping[str, Any]


def row_height(series: int) -> float:
    """Inches of a row in which marks of so many series stand one under the other."""
    return max(0.17, 0.05 + 0.06 * series)


@dataclass(frozen=True)
class Gap:
    """A row of words in place of rows that are not drawn.

    Attributes:
        after: rows that stand above it.
        words: what it says.
    """

    after: int
    words: str


@dataclass(frozen=True)
class Beside:
    """A column of words to the right of the marks.

    Attributes:
        names: what stands above the names of the rows.
        title: what stands above the words.
        words: those of each row, from the top.
    """

    names: str
    title: str
    words: tuple[str, ...]

    @property
    def width(self) -> float:
        """Inches that it takes."""
        return max(text_width(text, SMALL) for text in (self.title, *self.words)) + 0.12


def interval_rows(
    rows: pl.DataFrame,
    name: str,
    about: str,
    x: str,
    *,
    title: str = "",
    band: float | None = None,
    wide: bool = False,
    gap: Gap | None = None,
    beside: Beside | None = None,
    height: float | None = None,
    data: pl.DataFrame | None = None,
) -> Drawing:
    """A row for each name, from the top; in it a mark with its interval for each series.

    Args:
        rows: columns `row` (the name on the left), `series` (empty for one alone) and `value`; where known `low` and
            `high`; `sure`, where a false one is pale; `text`, the number as it stands beside; `said`, what the mark
            says when it is pointed at; `head`, the address of the head that the row is of.
        name: name of the drawing.
        about: what it shows, for those who do not see it.
        x: name of the horizontal axis.
        title: what stands above.
        band: half the width of the grey band around 0; none for None.
        wide: the layout for wide pages.
        gap: a row of words between the others.
        beside: a column of words beside the marks, in place of numbers.
        height: inches of a row; None: as its marks need.
        data: the data behind it; the rows, unless given.
    """
    names, series = (rows[column].unique(maintain_order=True).to_list() for column in ("row", "series"))
    place = {row: at + (gap is not None and at >= gap.after) for at, row in enumerate(names)}
    looks = {one: SERIES[i % len(SERIES)] for i, one in enumerate(series)}
    count = len(names) + (gap is not None)
    with styled():
        key = [Sample(one, _look(*looks[one], {}) | {"linestyle": "-"}) for one in series] if len(series) > 1 else []
        tall = height or row_height(len(series))
        panel = Panel(title, tall * count, x=x, width=WIDE if wide else WIDTH, key=key)
        axes = panel.axes
        axes.set(ylim=(count - 0.5, -0.5), xlim=limits(rows, ("value", "low", "high"), 0.0, *_both(band)))
        axes.set_yticks(list(place.values()), names)
        axes.xaxis.set_major_locator(MaxNLocator(nbins=8 if wide else 5 if beside is None else 4))
        columns = series if wide and "text" in rows.columns and len(series) <= MOST_COLUMNS else []
        panel.right = beside.width if beside else sum(_column(rows, one) for one in columns) or panel.right
        tips = _draw_rows(panel, rows, place)
        _draw_ground(axes, band, gap)
        tips |= _draw_marks(axes, rows, place, looks)
        _write_columns(panel, rows, place, {one: looks[one] for one in columns})
        if beside is not None:
            _write_beside(panel, beside, place.values())
        return draw(panel, name, about, rows if data is None else data, tips)


def _both(band: float | None) -> tuple[float, ...]:
    return () if band is None else (-band, band)


def _draw_rows(panel: Panel, rows: pl.DataFrame, place: Mapping[str, int]) -> dict[str, Tip]:
    """Draw the ground of every row, every second one tinted, as wide as the panel; it belongs to its head."""
    tips, (width, _) = {}, panel.size
    before = panel.left / width
    for row in rows.unique("row", keep="first", maintain_order=True).rows(named=True):
        at, tint = place[row["row"]], 0.05 if place[row["row"]] % 2 == 0 else 0.0
        corner, across = (-before, at - 0.5), panel.width / width
        ground = Rectangle(
            corner, across, 1, transform=panel.axes.get_yaxis_transform(), clip_on=False, zorder=0, gid=f"row-{at}"
        )
        ground.set(facecolor=INK, alpha=tint, linewidth=0)
        panel.axes.add_patch(ground)
        if row.get("head"):
            tips[f"row-{at}"] = Tip(row["head"], row["head"])
    return tips


def _draw_ground(axes: Axes, band: float | None, gap: Gap | None) -> None:
    """Draw the line of 0, the band around it, and the words of a gap."""
    if band is not None:
        axes.axvspan(-band, band, color=INK, alpha=0.1, linewidth=0, zorder=0.5)
    axes.axvline(0, color=INK, linewidth=0.7, alpha=0.6, zorder=0.6)
    axes.spines["left"].set_visible(False)
    axes.tick_params("y", length=0)
    if gap is not None:
        look = {"transform": axes.get_yaxis_transform(), "ha": "center", "va": "center_baseline", "style": "italic"}
        axes.text(0.5, gap.after, gap.words, fontsize=SMALL, **look)


def _draw_marks(
    axes: Axes, rows: pl.DataFrame, place: Mapping[str, int], looks: Mapping[str, tuple[str, str]]
) -> dict[str, Tip]:
    """Draw the marks, those of a row one under the other."""
    apart = min(0.34, 0.75 / len(looks))
    below = {one: apart * (i - (len(looks) - 1) / 2) for i, one in enumerate(looks)}
    tips = {}
    for i, row in enumerate(rows.rows(named=True)):
        value, y = row["value"], place[row["row"]] + below[row["series"]]
        if value is None:
            continue
        ends = [row.get("low"), value, row.get("high")]
        xs = [value if end is None else end for end in ends]
        axes.plot(xs, [y] * 3, markevery=[1], gid=f"mark-{i}", **_look(*looks[row["series"]], row))
        if row.get("said"):
            tips[f"mark-{i}"] = Tip(row["said"], row.get("head"))
    return tips


def _look(colour: str, marker: str, row: Row) -> dict[str, Any]:
    alpha = PALE if row.get("sure") is False else 1.0
    mark = {"marker": marker, "markersize": 4 if marker != "P" else 5, "markeredgewidth": 0}
    return {"color": colour, "alpha": alpha, "linewidth": 1.1, "linestyle": "-", **mark}


def _column(rows: pl.DataFrame, series: str) -> float:
    """Inches of the column of numbers of a series."""
    texts = rows.filter(series=series)["text"].drop_nulls()
    return max((text_width(text, SMALL, "bold") for text in texts), default=0.0) + 0.12


def _write_beside(panel: Panel, beside: Beside, places: Iterable[int]) -> None:
    """Write words to the right of the marks, and what they are above them, in line with the names of the rows."""
    panel.y = beside.names
    right = 1 + (panel.right - 0.04) / panel.size[0]
    look = {"ha": "right", "fontsize": SMALL}
    for at, words in zip(places, beside.words, strict=True):
        panel.axes.text(right, at, words, va="center_baseline", transform=panel.axes.get_yaxis_transform(), **look)
    above = {"xycoords": "axes fraction", "textcoords": "offset points", "xytext": (0, 7), "va": "baseline"}
    panel.axes.annotate(beside.title, (right, 1), **above, **look)


def _write_columns(
    panel: Panel, rows: pl.DataFrame, place: Mapping[str, int], columns: Mapping[str, tuple[str, str]]
) -> None:
    """Write the numbers of each series in a column of its own, to the right of the marks."""
    right = 1 + panel.right / panel.size[0]
    for one in reversed(list(columns)):
        for row in rows.filter(series=one).drop_nulls("text").rows(named=True):
            weight = "bold" if row.get("sure") else "normal"
            look = {"transform": panel.axes.get_yaxis_transform(), "ha": "right", "va": "center_baseline"}
            panel.axes.text(
                right - 0.04 / panel.size[0],
                place[row["row"]],
                row["text"],
                fontsize=SMALL,
                fontweight=weight,
                color=columns[one][0],
                **look,
            )
        right -= _column(rows, one) / panel.size[0]
