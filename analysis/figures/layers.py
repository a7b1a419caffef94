"""One head left in each layer, every head in turn, against no head at all."""

import polars as pl

from analysis.figures.drawing import INK, KIND_COLOURS, LEGEND_BELOW, Drawing, draw, panel, styled, ticks
from analysis.words import KIND_NAMES


def one_head_against_none(alone: pl.DataFrame, none: pl.DataFrame, name: str) -> Drawing:
    """Each layer with one head left, every head in turn, against no head at all; one domain and kind, layers from 1.

    Args:
        alone: all-but-one effects (columns layer, effect and what names the domain).
        none: no-head effects of the same layers; may be empty.
        name: of the drawing.
    """
    unit, domain, kind = alone["unit"][0], alone["domain"][0], alone["kind"][0]
    best = alone.group_by("layer").agg(pl.col("effect").max()).sort("layer")
    with styled():
        figure, axes = panel(4.1, 2.6)
        axes.axhline(0, color=INK, linewidth=0.5, alpha=0.35, zorder=0)
        axes.scatter(alone["layer"] + 1, alone["effect"], s=7, color=INK, alpha=0.3, linewidths=0, label="any one head")
        axes.scatter(best["layer"] + 1, best["effect"], s=30, color=KIND_COLOURS[kind], linewidths=0, label="best head")
        axes.scatter(
            none["layer"] + 1, none["effect"], s=34, marker="x", color=INK, linewidths=1.3, label="no head (control)"
        )
        axes.set(title=f"{domain}, {KIND_NAMES[kind]}", xlabel="layer", ylabel=f"effect ({unit})")
        axes.set_xticks(ticks(int(alone["layer"].max()) + 1))  # type: ignore[arg-type]
        axes.margins(x=0.06, y=0.12)
        figure.legend(ncols=3, handletextpad=0.2, **LEGEND_BELOW)
        return draw(figure, name, f"One head left in each layer against none, {domain}, {KIND_NAMES[kind]}")
