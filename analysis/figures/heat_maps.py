"""Heat maps: the effect of removing each head, layers down and heads across, with significance drawn in."""

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import polars as pl
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap, Normalize, to_rgb
from matplotlib.patches import Rectangle

from analysis.attention_kinds import kind_label, kind_name
from analysis.figures.canvas import Drawing, Panel, Tip, draw, styled
from analysis.figures.canvas.lettering import text_width
from analysis.figures.canvas.panel import WIDTH
from analysis.figures.canvas.style import INK, SMALL
from analysis.formatting import address, decimals, effect, interval, signed
from study.record.units import ADDRESS, AttentionKind, Head

HARM, GAIN = (0.76, 0.27, 0.12), (0.13, 0.42, 0.72)
DIVERGING = LinearSegmentedColormap.from_list(
    "effect",
    [
        *(((1 - size) / 2, (*HARM, size**0.7)) for size in np.linspace(1, 0, 12)),
        *(((1 + size) / 2, (*GAIN, size**0.7)) for size in np.linspace(0, 1, 12)),
    ],
    N=41,
)
"""Orange where the score falls, blue where it rises, clear at zero on any ground; small effects are lifted a little."""

DARK = 0.6
"""Share of the colour limit beyond which white is read better on a cell than ink."""

LEAST, MOST = 0.095, 0.34
"""Inches of the side of a cell: a panel of more than 32 heads a layer grows wider, one of few has flat cells."""

TALL, FLAT = 4.6, 0.13
"""Inches of all layers together, which many layers keep to, and of the flattest layer."""

DIGITS = 2
"""Significant digits that the largest number of a map keeps at least, or none is written."""

SMALL_WIDTH, SMALL_HEIGHT = 2.71, 1.45
"""Inches of a miniature, and of all its cells."""

Row = Mapping[str, Any]


def colour_limit(ablation: pl.DataFrame) -> float:
    """The effect at which heat map colours saturate: the 98th percentile of sizes, so that one head hides no other."""
    sizes = ablation["effect"].abs()
    limit = sizes.quantile(0.98, interpolation="higher") or 0.0
    return limit or (sizes.max() or 1.0)  # type: ignore[return-value]


def heat_map(ablation: pl.DataFrame, counts: Sequence[int], limit: float, name: str) -> Drawing:
    """Effect of removing each head of one attention kind on one domain; layers and heads from 0.

    A cell has its number written in it with as many decimals as fit; where none do, a star alone says what is
    significant.

    Args:
        ablation: single-head effects of one domain and kind; `low`, `high` and `significant`, where there are such
            columns, give what a cell says when it is pointed at, and a star.
        counts: heads of each layer, so that a head without outcome stays an empty cell.
        limit: effect at which the colours saturate; the same in every panel that is compared with this one.
        name: name of the drawing.
    """
    return _heat_map(ablation, counts, limit, name, "group" if "level" in ablation.columns else "head")


def group_heat_map(units: pl.DataFrame, counts: Sequence[int], limit: float, name: str) -> Drawing:
    """Effect of removing each group of heads, as `heat_map`; `units` has them by `index`, `counts` are of groups."""
    return _heat_map(units.rename({"index": "head"}), counts, limit, name, "group")


def _heat_map(rows: pl.DataFrame, counts: Sequence[int], limit: float, name: str, noun: str) -> Drawing:
    domain, kind = rows["domain"][0], AttentionKind(rows["kind"][0])
    widest = max(counts)
    with styled():
        side = max(LEAST, (WIDTH - 0.45) / widest)
        panel = Panel(
            f"{domain}, {kind_name(kind)}",
            min(MOST, max(0.2, 0.9 * side), max(FLAT, TALL / len(counts))) * len(counts),
            x=noun,
            y="layer",
            width=max(WIDTH, side * widest + 0.45),
        )
        tips = _cells(panel.axes, rows, kind, counts, limit)
        axis_of_cells(panel.axes, widest, len(counts))
        _write_numbers(panel, rows, widest, limit)
        unit = rows["unit"][0]
        digits = decimals(unit)
        colour_bar(panel, limit, (f"≤ {signed(-limit, digits)}", "0", f"≥ {signed(limit, digits)} {unit}"))
        title = f"Effect of removing each {noun}, {domain}, {kind_name(kind)}"
        return draw(panel, name, title, _data(rows), tips)


def small_heat_map(
    ablation: pl.DataFrame, counts: Mapping[AttentionKind, Sequence[int]], limit: float, name: str
) -> Drawing:
    """The heat maps of every attention kind on one domain in miniature, one above the other, without numbers.

    Args:
        ablation: single-head effects of one domain; `level`, where they are of groups.
        counts: heads, or groups, of each layer by kind.
        limit: as for `heat_map`.
        name: name of the drawing.
    """
    domain, tips, names, start = ablation["domain"][0], {}, [], 0.0
    shown = {kind: layers for kind, layers in counts.items() if ablation.filter(kind=str(kind)).height}
    with styled():
        noun = "group" if "level" in ablation.columns else "head"
        panel = Panel(domain, SMALL_HEIGHT, x=noun, width=SMALL_WIDTH, right=0.06)
        for kind, layers in shown.items():
            tips |= _cells(panel.axes, ablation.filter(kind=str(kind)), kind, layers, limit, start)
            if len(shown) > 1:
                names.append((start + (len(layers) - 1) / 2, kind_label(kind).replace(" ", "\n").replace("–", "–\n")))
            else:
                names += [(layer, f"L{layer}") for layer in _some(len(layers), 6)]
            start += len(layers) + 0.6
        axis_of_cells(panel.axes, max(map(max, shown.values())), start - 0.6, most=12)
        panel.axes.set_yticks([at for at, _ in names], [label for _, label in names])
        title = f"Effect of removing each {noun}, {domain}"
        return draw(panel, name, title, _data(ablation), tips)


def _data(ablation: pl.DataFrame) -> pl.DataFrame:
    wanted = ("domain", *ADDRESS, "effect", "low", "high", "p_corrected", "significant", "unit", "n")
    return ablation.select(name for name in wanted if name in ablation.columns)


def _cells(
    axes: Axes, ablation: pl.DataFrame, kind: AttentionKind, counts: Sequence[int], limit: float, start: float = 0.0
) -> dict[str, Tip]:
    """Draw a cell for each head, layers downwards from `start`; what each says."""
    rows = {(row["layer"], row["head"]): row for row in ablation.rows(named=True)}
    norm, tips = Normalize(-limit, limit), {}
    for layer, head in ((layer, head) for layer, count in enumerate(counts) for head in range(count)):
        row, gid = rows.get((layer, head)), f"cell-{kind}-{layer}-{head}"
        cell(axes, head, start + layer, None if row is None else row["effect"], norm, gid)
        tips[gid] = _tip(Head(kind, layer, head), row)
    return tips


def cell(axes: Axes, x: int | float, y: int | float, value: float | None, norm: Normalize, gid: str) -> None:
    """Draw one cell around a point, in the colour of its value; without one it stays clear."""
    drawn = Rectangle((x - 0.5, y - 0.5), 1, 1, linewidth=0.4, edgecolor=(*to_rgb(INK), 0.25), gid=gid)
    drawn.set_facecolor("none" if value is None else DIVERGING(norm(value)))
    axes.add_artist(drawn)  # the limits of the axes are set: they need not be found by every cell


def colour_bar(panel: Panel, limit: float, names: tuple[str, str, str]) -> None:
    """Draw the scale of the colours under a panel: names of its lower end, its middle and its upper end."""
    axes = panel.foot(0.09, 0.19)
    colours = np.linspace(-limit, limit, DIVERGING.N)[None]
    axes.pcolormesh(np.linspace(-limit, limit, DIVERGING.N + 1), [0, 1], colours, cmap=DIVERGING, antialiased=False)
    axes.set(xlim=(-limit, limit), yticks=[], xticks=[])
    axes.spines[:].set_visible(False)
    for at, (place, text) in zip(("left", "center", "right"), zip((0, 0.5, 1), names, strict=True), strict=True):
        axes.text(place, -0.6, text, ha=at, va="top", fontsize=SMALL, transform=axes.transAxes)


def axis_of_cells(axes: Axes, heads: int, layers: int | float, *, most: int = 16) -> None:
    """Lay out axes for cells: heads across, of which so many have their number, layers down, both from 0."""
    axes.set(xlim=(-0.5, heads - 0.5), ylim=(layers - 0.5, -0.5))
    axes.set_xticks(_some(heads, most))
    axes.set_yticks(_some(int(layers), 24))
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)


def _some(count: int, most: int) -> range:
    """0 to `count` - 1 in steps of 1, 2, 3 ... so that there are no more than `most`."""
    return range(0, count, -(-count // most))


def _write_numbers(panel: Panel, ablation: pl.DataFrame, widest: int, limit: float) -> None:
    """Numbers and stars, or stars alone where numbers do not fit."""
    rows = ablation.rows(named=True)
    room = panel.size[0] / widest - 0.05
    written = next((texts for texts in _texts(rows, limit) if _widest(rows, texts) <= room), None)
    for row, text in zip(rows, written or ["*" if row.get("significant") else "" for row in rows], strict=True):
        panel.axes.text(
            row["head"],
            row["layer"],
            text,
            ha="center",
            va="center" if written else "center_baseline",
            fontsize=SMALL if written else 10,
            fontweight="bold" if row.get("significant") else "normal",
            color="white" if abs(row["effect"]) > DARK * limit else INK,
        )


def _texts(rows: Sequence[Row], limit: float) -> Iterator[list[str]]:
    """The numbers with the decimals of their unit, with fewer, as long as the colour limit keeps enough digits."""
    most = decimals(rows[0]["unit"]) if rows else 2
    fewest = DIGITS - math.floor(math.log10(limit)) - 1 if limit > 0 else most
    for digits in range(most, max(0, min(fewest, most)) - 1, -1):
        yield [signed(row["effect"], digits) + ("*" if row.get("significant") else "") for row in rows]


def _widest(rows: Sequence[Row], texts: Sequence[str]) -> float:
    weights = ("bold" if row.get("significant") else "normal" for row in rows)
    return max(text_width(text, SMALL, weight) for text, weight in zip(texts, weights, strict=True))


def _tip(head: Head, row: Row | None) -> Tip:
    if row is None:
        return Tip(f"{head}: not measured", str(head))
    sure = ", significant" if row.get("significant") else ""
    return Tip(f"{address(row)}: {effect(row)} {row['unit']}{interval(row)}{sure}", address(row))
