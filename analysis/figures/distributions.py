"""Figure 1: how many heads leave which score when each is removed alone."""

from collections.abc import Sequence

import numpy as np
import polars as pl
from matplotlib.colors import to_rgba
from matplotlib.ticker import MaxNLocator

from analysis.attention_kinds import STYLES, by_kind
from analysis.figures.canvas import Drawing, Panel, Sample, draw, styled
from analysis.figures.canvas.style import DASHED, INK, PALE, SMALL
from analysis.formatting import decimal, score_axis
from study.record.metrics import METRICS
from study.record.units import ADDRESS

BARS = 30
"""Bars from the lowest to the highest effect."""


def distribution(ablation: pl.DataFrame, name: str, compared: pl.DataFrame | None = None) -> Drawing:
    """Figure 1 of one domain, from its effects of single heads; the base score is a line.

    Args:
        ablation: effects of the domain. Heads whose column `significant`, where there is one, is true are solid, others
            pale.
        name: name of the drawing.
        compared: effects of every domain whose panel is compared with this one; they share the width of bars, the reach
            around the base score and the height.
    """
    metric, domain, base = ablation["metric"][0], ablation["domain"][0], ablation["base_score"][0]
    kinds, tested = [kind for kind, _ in by_kind(ablation)], "significant" in ablation.columns
    groups = [(kind, sure) for kind in kinds for sure in ((True, False) if tested else (True,))]
    bins, most = _bars(ablation if compared is None else compared)
    with styled():
        panel = Panel(domain, 1.7, x=f"{score_axis(metric)} with one head removed", y="heads", key=_key(kinds, tested))
        axes = panel.axes
        axes.hist(
            [_scores(ablation, kind, sure, tested) for kind, sure in groups],
            bins=(base + bins).tolist(),
            stacked=True,
            rwidth=0.88,
            color=[to_rgba(STYLES[kind].colour, 1 if sure else PALE) for kind, sure in groups],
            edgecolor=[STYLES[kind].colour for kind, _ in groups],
            linewidth=0.6,
        )
        axes.axvline(base, color=INK, linewidth=1, linestyle=DASHED)
        axes.set(xlim=(base + bins[0] - _edge(bins), base + bins[-1] + _edge(bins)), ylim=(0, 1.22 * most))
        left = base > np.mean(axes.get_xlim())
        axes.annotate(
            f"base {decimal(base, METRICS[metric].digits)}",
            (base, 1),
            xycoords=("data", "axes fraction"),
            xytext=(-4 if left else 4, -2),
            textcoords="offset points",
            ha="right" if left else "left",
            va="top",
            fontsize=SMALL,
        )
        axes.yaxis.set_major_locator(MaxNLocator(integer=True, nbins=5))
        axes.xaxis.set_major_locator(MaxNLocator(nbins=6))
        shown = ("domain", *ADDRESS, "base_score", "score", "effect", "significant")
        data = ablation.select(column for column in shown if column in ablation.columns)
        return draw(panel, name, f"Distribution of scores on {domain} with one head removed", data)


def _bars(compared: pl.DataFrame) -> tuple[np.ndarray, int]:
    """Edges of bars around the base score, and the most heads that are in one of any domain."""
    low, high = float(compared["effect"].min()), float(compared["effect"].max())  # type: ignore[arg-type]
    low, high = min(low, 0.0), max(high, 0.0)
    bins = np.linspace(low, high, BARS + 1) if high > low else np.array([-0.5, 0.5])
    domains = compared.partition_by("setting_id" if "setting_id" in compared.columns else "domain")
    return bins, max(int(np.histogram(own["effect"].to_numpy(), bins)[0].max()) for own in domains)


def _edge(bins: np.ndarray) -> float:
    return 0.03 * float(bins[-1] - bins[0])


def _scores(ablation: pl.DataFrame, kind: str, sure: bool, tested: bool) -> np.ndarray:
    heads = ablation.filter(pl.col("kind") == kind)
    return (heads.filter(pl.col("significant").fill_null(False) == sure) if tested else heads)["score"].to_numpy()


def _key(kinds: Sequence[str], tested: bool) -> list[Sample]:
    """The kinds, where there are several, then what solid and pale mean, where effects were tested."""
    square = {"marker": "s", "markersize": 6, "markeredgewidth": 0.6}
    shown = [Sample(STYLES[kind].label, {**square, "color": STYLES[kind].colour}) for kind in kinds]
    shown = shown if len(kinds) > 1 else []
    if tested:
        colour = INK if len(kinds) > 1 else STYLES[kinds[0]].colour
        shown += [
            Sample(label, {**square, "markerfacecolor": to_rgba(colour, alpha), "markeredgecolor": colour})
            for alpha, label in ((1, "significant"), (PALE, "not significant"))
        ]
    return shown
