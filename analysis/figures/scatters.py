"""Figure 2: the effect of each head on two domains, one against the other, with intervals on both axes."""

from collections.abc import Mapping
from typing import Any

import polars as pl
from matplotlib.axes import Axes

from analysis.attention_kinds import STYLES, by_kind
from analysis.figures.drawing import INK, LEGEND_BELOW, Drawing, Tip, draw, panel, styled
from analysis.formatting import address, interval, signed

NAMED = 3
"""Heads of largest effect that have their name written beside them."""

OUTLIER = 8
"""Diameter in points of the ring around a named head."""


def scatter(both: pl.DataFrame, labels: tuple[str, str], unit: str, title: str, name: str) -> Drawing:
    """Figure 2 of two domains; the heads that are farthest out are ringed and named layer.head.

    The heads have columns kind, layer, head, effect_a, effect_b; low_a, high_a, low_b, high_b, where known, give bars.
    """
    tips: dict[str, Tip] = {}
    kinds = dict(by_kind(both))
    with styled():
        figure, axes = panel(4.1, 3.9)
        for line in (axes.axhline, axes.axvline):
            line(0, color=INK, linewidth=0.5, alpha=0.35, zorder=0)
        axes.axline((0, 0), slope=1, color=INK, linewidth=0.6, alpha=0.5, linestyle=(0, (4, 3)), zorder=0)
        for kind, heads in kinds.items():
            _bars(axes, heads, STYLES[kind].colour)
            for row in heads.rows(named=True):
                tips |= _point(axes, row, labels, unit)
        _name_outliers(axes, both)
        axes.margins(0.08)
        axes.set(title=title)
        axes.set(xlabel=f"effect on {labels[0]} ({unit})", ylabel=f"effect on {labels[1]} ({unit})")
        if len(kinds) > 1:
            figure.legend(ncols=3, handletextpad=0.2, **LEGEND_BELOW)
        return draw(figure, name, f"Effect of each head on {labels[0]} against {labels[1]}, {title}", tips)


def _bars(axes: Axes, heads: pl.DataFrame, colour: str) -> None:
    """Intervals of both effects, pale, behind the points."""
    if not {"low_a", "high_a", "low_b", "high_b"} <= set(heads.columns):
        return
    style: dict[str, Any] = {"color": colour, "linewidth": 0.6, "alpha": 0.35, "zorder": 1}
    axes.hlines(heads["effect_b"].to_numpy(), heads["low_a"].to_numpy(), heads["high_a"].to_numpy(), **style)
    axes.vlines(heads["effect_a"].to_numpy(), heads["low_b"].to_numpy(), heads["high_b"].to_numpy(), **style)


def _point(axes: Axes, row: Mapping[str, Any], labels: tuple[str, str], unit: str) -> dict[str, Tip]:
    """A mark of its own for each head, so that each can say which one it is."""
    kind = row["kind"]
    head = address(row)
    (mark,) = axes.plot(
        row["effect_a"],
        row["effect_b"],
        STYLES[kind].marker,
        markersize=4,
        markeredgewidth=0,
        color=STYLES[kind].colour,
        alpha=0.8,
        gid=f"head-{head}",
        label=STYLES[kind].label if STYLES[kind].label not in axes.get_legend_handles_labels()[1] else None,
    )
    mark.set_in_layout(False)
    said = [
        f"{label} {signed(row[f'effect_{side}'])} {unit}{interval(row, side)}"
        for side, label in zip("ab", labels, strict=True)
    ]
    return {
        f"head-{head}": Tip(
            f"{STYLES[kind].label}, layer {row['layer'] + 1}, head {row['head'] + 1}: {'; '.join(said)}", head
        )
    }


def _name_outliers(axes: Axes, both: pl.DataFrame) -> None:
    """Ring the heads of largest effect and write layer.head (from 1) beside them."""
    size = pl.max_horizontal(pl.col("effect_a").abs(), pl.col("effect_b").abs())
    for row in both.sort(size, descending=True, maintain_order=True).head(NAMED).iter_rows(named=True):
        at = (row["effect_a"], row["effect_b"])
        axes.plot(*at, "o", markersize=OUTLIER, markerfacecolor="none", markeredgecolor=INK, markeredgewidth=0.7)
        axes.annotate(
            f"{row['layer'] + 1}.{row['head'] + 1}", at, xytext=(6, 4), textcoords="offset points", fontsize=7
        )
