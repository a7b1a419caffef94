"""Figure 1: how many heads leave which score when each is removed alone."""

from collections.abc import Sequence

import numpy as np
import polars as pl
from matplotlib.colors import to_rgba
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator

from analysis.attention_kinds import STYLES, by_kind
from analysis.figures.drawing import DASHED, INK, LEGEND_BELOW, Drawing, draw, panel, styled
from analysis.formatting import SCORE_NAMES

PALE = 0.3
"""Opacity of heads whose effect is not significant."""


def distribution(ablation: pl.DataFrame, name: str) -> Drawing:
    """Figure 1 of one domain, from its effects of single heads; the base score is a line.

    Heads whose column `significant`, where there is one, is true are solid, others pale.
    """
    metric, domain, base = ablation["metric"][0], ablation["domain"][0], ablation["base_score"][0]
    kinds, tested = [kind for kind, _ in by_kind(ablation)], "significant" in ablation.columns
    groups = [(kind, sure) for kind in kinds for sure in ((True, False) if tested else (True,))]
    with styled():
        figure, axes = panel(4.1, 2.6)
        scores = [_scores(ablation, kind, sure, tested) for kind, sure in groups]
        axes.hist(
            scores,
            bins=_bins(np.concatenate([*scores, [base]])),
            stacked=True,
            rwidth=0.88,
            color=[to_rgba(STYLES[kind].colour, 1 if sure else PALE) for kind, sure in groups],
            edgecolor=[STYLES[kind].colour for kind, _ in groups],
            linewidth=0.6,
        )
        axes.axvline(base, color=INK, linewidth=1, linestyle=DASHED)
        axes.margins(y=0.16)
        left = base > np.mean(axes.get_xlim())
        axes.annotate(
            f"base {base:.2f}",
            (base, 1),
            xycoords=("data", "axes fraction"),
            xytext=(-4 if left else 4, -2),
            textcoords="offset points",
            ha="right" if left else "left",
            va="top",
        )
        axes.set(title=domain, xlabel=f"{SCORE_NAMES[metric]} with one head removed", ylabel="heads")
        axes.yaxis.set_major_locator(MaxNLocator(integer=True, nbins=5))
        handles = _legend(kinds, tested)
        if handles:
            figure.legend(handles=handles, ncols=3, handlelength=1, **LEGEND_BELOW)
        return draw(figure, name, f"Distribution of scores on {domain} with one head removed")


def _scores(ablation: pl.DataFrame, kind: str, sure: bool, tested: bool) -> np.ndarray:
    heads = ablation.filter(pl.col("kind") == kind)
    return (heads.filter(pl.col("significant").fill_null(False) == sure) if tested else heads)["score"].to_numpy()


def _legend(kinds: Sequence[str], tested: bool) -> list[Patch]:
    """The kinds, where there are several, then what solid and pale mean, where effects were tested."""
    shown = [Patch(color=STYLES[kind].colour, label=STYLES[kind].label) for kind in kinds] if len(kinds) > 1 else []
    if tested:
        colour = INK if len(kinds) > 1 else STYLES[kinds[0]].colour
        shown += [
            Patch(facecolor=to_rgba(colour, alpha), edgecolor=colour, linewidth=0.6, label=label)
            for alpha, label in ((1, "significant"), (PALE, "not significant"))
        ]
    return shown


def _bins(scores: np.ndarray) -> list[float]:
    """Bin edges for about 30 bars, also when all scores are the same."""
    low, high = float(scores.min()), float(scores.max())
    return np.linspace(low, high, 31).tolist() if high > low else [low - 0.5, low + 0.5]
