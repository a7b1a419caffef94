"""One head left in each layer, every head in turn, against no head at all."""

import polars as pl

from analysis.attention_kinds import STYLES, kind_name
from analysis.figures.drawing import INK, LEGEND_BELOW, Drawing, draw, panel, styled, ticks

BESIDE = 0.12
"""How far the best head and the control stand from the middle of their layer, so that neither hides the other."""


def one_head_against_none(alone: pl.DataFrame, none: pl.DataFrame, name: str) -> Drawing:
    """Each layer with one head left, every head in turn, against no head at all; one domain and kind, layers from 1.

    Effects that have columns low and high have a bar; those of no head may be missing.
    """
    unit, domain, kind = alone["unit"][0], alone["domain"][0], alone["kind"][0]
    best = alone.sort("effect", descending=True).unique("layer", keep="first", maintain_order=True)
    with styled():
        figure, axes = panel(4.1, 2.6)
        axes.axhline(0, color=INK, linewidth=0.5, alpha=0.35, zorder=0)
        axes.scatter(alone["layer"] + 1, alone["effect"], s=7, color=INK, alpha=0.3, linewidths=0, label="any one head")
        for heads, colour, beside in ((best, STYLES[kind].colour, -BESIDE), (none, INK, BESIDE)):
            if "low" in heads.columns:
                at = heads["layer"].to_numpy() + 1 + beside
                axes.vlines(at, heads["low"].to_numpy(), heads["high"].to_numpy(), color=colour, linewidth=1, alpha=0.6)
        axes.scatter(
            best["layer"] + 1 - BESIDE, best["effect"], s=30, color=STYLES[kind].colour, linewidths=0, label="best head"
        )
        axes.scatter(
            none["layer"] + 1 + BESIDE,
            none["effect"],
            s=34,
            marker="x",
            color=INK,
            linewidths=1.3,
            label="no head (control)",
        )
        axes.set(title=f"{domain}, {kind_name(kind)}", xlabel="layer", ylabel=f"effect ({unit})")
        axes.set_xticks(ticks(int(alone["layer"].max()) + 1))  # type: ignore[arg-type]
        axes.margins(x=0.06, y=0.12)
        figure.legend(ncols=3, handletextpad=0.2, **LEGEND_BELOW)
        return draw(figure, name, f"One head left in each layer against none, {domain}, {kind_name(kind)}")
