"""One head left in each layer, every head in turn, against no head at all."""

import polars as pl
from matplotlib.ticker import MaxNLocator

from analysis.attention_kinds import STYLES, kind_name
from analysis.figures.canvas import Drawing, Panel, Sample, draw, limits, styled
from analysis.figures.canvas.style import INK
from study.record.units import ADDRESS

BESIDE = 0.12
"""How far the best head and the control stand from the middle of their layer, so that neither hides the other."""


def one_head_against_none(
    alone: pl.DataFrame, none: pl.DataFrame, name: str, compared: pl.DataFrame | None = None
) -> Drawing:
    """Each layer with one head left, every head in turn, against no head at all; one domain and kind, layers from 0.

    Args:
        alone: effects with one head left; a bar where they have columns low and high.
        none: effects without a head, which may be missing.
        name: name of the drawing.
        compared: effects of both sorts of every panel that shares the scale of this one.
    """
    unit, domain, kind = alone["unit"][0], alone["domain"][0], alone["kind"][0]
    best = alone.sort("effect", descending=True).unique("layer", keep="first", maintain_order=True)
    colour = STYLES[kind].colour
    any_head = {"color": INK, "marker": "o", "markersize": 2.6, "alpha": 0.35, "markeredgewidth": 0}
    best_head = {"color": colour, "marker": "o", "markersize": 5.5, "markeredgewidth": 0}
    no_head = {"color": INK, "marker": "x", "markersize": 5.5, "markeredgewidth": 1.3}
    key = [Sample("any one head", any_head), Sample("best head", best_head), Sample("no head (control)", no_head)]
    with styled():
        panel = Panel(f"{domain}, {kind_name(kind)}", 1.7, x="layer", y=f"effect ({unit})", key=key)
        axes = panel.axes
        axes.axhline(0, color=INK, linewidth=0.5, alpha=0.35, zorder=0)
        axes.plot(alone["layer"], alone["effect"], linestyle="none", **any_head)
        for heads, look, beside in ((best, best_head, -BESIDE), (none, no_head, BESIDE)):
            at = heads["layer"].to_numpy() + beside
            if "low" in heads.columns:
                ends = heads["low"].to_numpy(), heads["high"].to_numpy()
                axes.vlines(at, *ends, color=look["color"], linewidth=1, alpha=0.6)
            axes.plot(at, heads["effect"], linestyle="none", **look)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=12, min_n_ticks=1))
        last: int = alone["layer"].max()  # type: ignore[assignment]
        axes.set_xlim(-0.5, last + 0.5)
        shown = pl.concat([alone, none], how="diagonal") if compared is None else compared
        axes.set_ylim(*limits(shown, ("effect", "low", "high"), 0.0))
        kept = [column for column in ("measure", "domain", *ADDRESS, "effect", "low", "high") if column in alone]
        data = pl.concat([alone.select(kept), none.select(kept)])
        return draw(panel, name, f"One head left in each layer against none, {domain}, {kind_name(kind)}", data)
