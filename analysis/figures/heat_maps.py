"""Heat maps: the effect of removing each head, layers down and heads across, with significance drawn in."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import polars as pl
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import LinearSegmentedColormap, Normalize, to_rgb
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from analysis.attention_kinds import kind_name
from analysis.figures.drawing import INK, Drawing, Tip, draw, panel, styled, ticks
from analysis.formatting import interval, signed
from study.record.heads import AttentionKind, Head

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

MOST_WRITTEN = 8
"""Heads in a row up to which each cell has its number written in it."""

DARK = 0.6
"""Share of the colour limit beyond which white is read better on a cell than ink."""


def colour_limit(ablation: pl.DataFrame) -> float:
    """The effect at which heat map colours saturate: the 98th percentile of sizes, so that one head hides no other."""
    sizes = ablation["effect"].abs()
    limit = sizes.quantile(0.98, interpolation="higher") or 0.0
    return limit or (sizes.max() or 1.0)  # type: ignore[return-value]


def heat_map(ablation: pl.DataFrame, counts: Sequence[int], limit: float, name: str) -> Drawing:
    """Effect of removing each head of one attention kind on one domain; layers and heads from 1.

    Args:
        ablation: single-head effects of one domain and kind; `low`, `high` and `significant`, where there are such
            columns, give what a cell says when it is pointed at, and a star.
        counts: heads of each layer, so that a head without outcome stays an empty cell.
        limit: effect at which the colours saturate; the same in every panel that is compared with this one.
        name: name of the drawing.
    """
    domain, kind = ablation["domain"][0], AttentionKind(ablation["kind"][0])
    norm, widest = Normalize(-limit, limit), max(counts)
    rows = {(row["layer"], row["head"]): row for row in ablation.rows(named=True)}
    tips = {}
    with styled():
        figure, axes = panel(4.1, 0.95 + max(0.17, min(0.3, 3.0 / widest)) * len(counts))
        for layer, head in ((layer, head) for layer, count in enumerate(counts) for head in range(count)):
            row = rows.get((layer, head))
            gid = f"cell-{layer + 1}-{head + 1}"
            cell(axes, head + 1, layer + 1, None if row is None else row["effect"], norm, gid)
            if row is not None:
                _write(axes, row, widest <= MOST_WRITTEN, limit)
            tips[gid] = Tip(f"layer {layer + 1}, head {head + 1}: {_said(row)}", str(Head(kind, layer, head)))
        axes.set(xlim=(0.5, widest + 0.5), ylim=(len(counts) + 0.5, 0.5), xlabel="head", ylabel="layer")
        axes.set_title(f"{domain}, {kind_name(kind)}")
        axes.set_xticks(ticks(widest))
        axes.set_yticks(ticks(len(counts)))
        axes.tick_params(length=0)
        axes.spines[:].set_visible(False)
        ends = signed(-limit), signed(limit)
        colour_bar(figure, axes, limit, ablation["unit"][0], ends, extend="both", aspect=12, fraction=0.08)
        return draw(figure, name, f"Effect of removing each head, {domain}, {kind_name(kind)}", tips)


def cell(axes: Axes, x: int, y: int, value: float | None, norm: Normalize, gid: str) -> None:
    """Draw one cell around a point, in the colour of its value; without one it stays clear."""
    drawn = Rectangle((x - 0.5, y - 0.5), 1, 1, linewidth=0.4, edgecolor=(*to_rgb(INK), 0.25), gid=gid)
    drawn.set_facecolor("none" if value is None else DIVERGING(norm(value)))
    axes.add_patch(drawn)


def colour_bar(figure: Figure, axes: Axes, limit: float, label: str, ends: tuple[str, str], **shape: Any) -> None:
    """Draw the scale of the colours beside the cells, its ends and its middle named."""
    bar = figure.colorbar(ScalarMappable(Normalize(-limit, limit), DIVERGING), ax=axes, pad=0.02, **shape)
    bar.set_ticks([-limit, 0, limit], labels=[ends[0], "0", ends[1]])
    bar.set_label(label)
    bar.outline.set_visible(False)  # type: ignore[reportCallIssue]
    bar.ax.tick_params(length=0)


def _write(axes: Axes, row: Mapping[str, Any], wide: bool, limit: float) -> None:
    """The number, where there is room for it, and a star where the effect is significant."""
    star = "*" if row.get("significant") else ""
    if wide or star:
        text = signed(row["effect"]) + star if wide else star
        axes.text(
            row["head"] + 1,
            row["layer"] + 1,
            text,
            ha="center",
            va="center" if wide else "center_baseline",
            fontsize=6.5 if wide else 9,
            fontweight="bold" if star else "normal",
            color="white" if abs(row["effect"]) > DARK * limit else INK,
        )


def _said(row: Mapping[str, Any] | None) -> str:
    if row is None:
        return "not measured"
    return f"{signed(row['effect'])} {row['unit']}{interval(row)}{', significant' if row.get('significant') else ''}"
