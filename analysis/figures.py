"""Figures: the paper's figures 1 and 2, heat maps of effects, and one head against none in each layer.

Every figure is one small panel (a domain, a pair of domains, a domain and an attention kind), so that a page can lay
them out for its width. They are SVG with text as text, on a transparent ground and in the colour of the page's text, so
that they read in light and dark; the same numbers give the same bytes.
"""

import io
import re
from collections.abc import Mapping
from dataclasses import dataclass
from html import escape
from typing import Any

import matplotlib as mpl
import numpy as np
import polars as pl
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import LinearSegmentedColormap, Normalize, to_rgb
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.ticker import MaxNLocator

from analysis.words import KIND_LABELS, KIND_NAMES, SCORE_NAMES, signed
from study.heads import AttentionKind

INK = "#010203"
"""Stands for the colour of the page's text; becomes `currentColor` in the SVG."""

KIND_COLOURS = {"encoder_self": "#2f86c9", "decoder_self": "#1f9e77", "cross": "#d9772b"}
KIND_MARKERS = {"encoder_self": "o", "decoder_self": "s", "cross": "^"}
"""Told apart by the colour-blind, on light and dark ground."""

ORDER_COLOURS = {
    "importance": "#2f86c9",
    "ablation": "#d9772b",
    "ablation_loss": "#b5487f",
    "random": "#8a8f96",
    "oracle": "#1f9e77",
    "reestimated": "#7a5cc0",
    "file": "#8c6d31",
}
LINES = ("-", (0, (5, 2)), (0, (1, 1.5)), (0, (6, 2, 1, 2)))
"""Tell curves of one colour apart."""

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

RC: dict[Any, Any] = {
    "svg.fonttype": "none",
    "svg.hashsalt": "sixteen-heads",
    "text.parse_math": False,
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],
    "font.size": 8.5,
    "axes.titlesize": 9.5,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.linewidth": 0.6,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.unicode_minus": True,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "xtick.major.size": 2.5,
    "ytick.major.size": 2.5,
    "legend.frameon": False,
    "legend.fontsize": 8,
    **dict.fromkeys(["text.color", "axes.edgecolor", "axes.labelcolor", "axes.titlecolor", "xtick.color"], INK),
    **dict.fromkeys(["ytick.color", "legend.labelcolor"], INK),
    **dict.fromkeys(["figure.facecolor", "axes.facecolor", "savefig.facecolor"], "none"),
}

FONTS = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', sans-serif"
ALONE = "<style>svg{color:#1c1f23}@media(prefers-color-scheme:dark){svg{color:#e6e4df}}</style>"


@dataclass(frozen=True)
class Drawing:
    """A figure as SVG text.

    Attributes:
        name: of its file, without ending; unique among the figures of a page.
        title: what it shows, for those who do not see it.
        svg: one `<svg>` element; takes the colour of the text around it.
    """

    name: str
    title: str
    svg: str

    @property
    def file(self) -> str:
        """The content of an SVG file of its own, which has no text around it."""
        opening, rest = self.svg.split(">", 1)
        return f'<?xml version="1.0" encoding="utf-8"?>\n{opening}>{ALONE}{rest}\n'


def distribution(ablation: pl.DataFrame, name: str) -> Drawing:
    """Figure 1: how many heads leave which score when they are removed, one domain; the base score is a line."""
    metric, domain, base = ablation["metric"][0], ablation["domain"][0], ablation["base_score"][0]
    with mpl.rc_context(RC):
        figure, axes = _panel(4.1, 2.5)
        kinds = _kinds(ablation)
        scores = [ablation.filter(pl.col("kind") == kind)["score"].to_numpy() for kind in kinds]
        bins = _bins(np.concatenate([*scores, [base]]))
        axes.hist(
            scores,
            bins=bins,
            stacked=True,
            color=[KIND_COLOURS[kind] for kind in kinds],
            label=[KIND_LABELS[kind] for kind in kinds],
        )
        axes.axvline(base, color=INK, linewidth=1, linestyle=(0, (4, 2)))
        axes.margins(y=0.16)
        axes.annotate(
            f"base {base:.2f}",
            (base, 1),
            xycoords=("data", "axes fraction"),
            xytext=(-4 if base > np.mean(axes.get_xlim()) else 4, -2),
            textcoords="offset points",
            ha="right" if base > np.mean(axes.get_xlim()) else "left",
            va="top",
        )
        axes.set(title=domain, xlabel=f"{SCORE_NAMES[metric]} with one head removed", ylabel="heads")
        axes.yaxis.set_major_locator(MaxNLocator(integer=True, nbins=5))
        if len(kinds) > 1:
            figure.legend(loc="outside lower center", ncols=len(kinds), handlelength=1, columnspacing=1)
        return _draw(figure, name, f"Distribution of scores on {domain} with one head removed")


def scatter(both: pl.DataFrame, labels: tuple[str, str], unit: str, pearson: float | None, name: str) -> Drawing:
    """Figure 2: the effect of each head on two domains.

    Args:
        both: columns kind, layer, head, effect_a, effect_b, as `correlation.matched` gives them.
        labels: names of the two domains.
        unit: of the effects.
        pearson: their correlation; None where there is none.
        name: of the drawing.
    """
    with mpl.rc_context(RC):
        figure, axes = _panel(4.1, 3.9)
        kinds = _kinds(both)
        for line in (axes.axhline, axes.axvline):
            line(0, color=INK, linewidth=0.5, alpha=0.35, zorder=0)
        axes.axline((0, 0), slope=1, color=INK, linewidth=0.6, alpha=0.5, linestyle=(0, (4, 3)), zorder=0)
        for kind in kinds:
            heads = both.filter(pl.col("kind") == kind)
            axes.scatter(
                heads["effect_a"],
                heads["effect_b"],
                s=16,
                marker=KIND_MARKERS[kind],
                color=KIND_COLOURS[kind],
                alpha=0.75,
                linewidths=0,
                label=KIND_LABELS[kind],
            )
        _name_outliers(axes, both)
        axes.margins(0.08)
        r = "no correlation" if pearson is None else f"r = {pearson:.2f}"
        axes.set(title=f"{r}, {both.height} heads")
        axes.set(xlabel=f"effect on {labels[0]} ({unit})", ylabel=f"effect on {labels[1]} ({unit})")
        if len(kinds) > 1:
            figure.legend(loc="outside lower center", ncols=3, handletextpad=0.2, columnspacing=1)
        return _draw(figure, name, f"Effect of each head on {labels[0]} against {labels[1]}, {r}")


def colour_limit(ablation: pl.DataFrame) -> float:
    """The effect at which heat map colours saturate: the 98th percentile of sizes, so that one head hides no other."""
    sizes = ablation["effect"].abs()
    limit = sizes.quantile(0.98, interpolation="higher") or 0.0
    return limit or (sizes.max() or 1.0)  # type: ignore[return-value]


MOST_WRITTEN = 8
"""Heads in a row up to which each cell has its number written in it."""


def heat_map(ablation: pl.DataFrame, counts: list[int], limit: float, name: str) -> Drawing:
    """Effect of removing each head of one attention kind on one domain; layers and heads from 1.

    Args:
        ablation: single-head effects of one domain and kind.
        counts: heads of each layer, so that a head without outcome stays an empty cell.
        limit: effect at which the colours saturate; the same in every panel that is compared with this one.
        name: of the drawing.
    """
    unit, domain, kind = ablation["unit"][0], ablation["domain"][0], ablation["kind"][0]
    norm, widest = Normalize(-limit, limit), max(counts)
    effects = {(layer, head): effect for layer, head, effect in ablation.select("layer", "head", "effect").iter_rows()}
    tips = {}
    with mpl.rc_context(RC):
        figure, axes = _panel(4.1, 0.95 + max(0.17, min(0.3, 3.0 / widest)) * len(counts))
        for layer, head in ((layer, head) for layer, count in enumerate(counts) for head in range(count)):
            effect = effects.get((layer, head))
            cell = Rectangle((head + 0.5, layer + 0.5), 1, 1, linewidth=0.4, edgecolor=(*to_rgb(INK), 0.25))
            cell.set_facecolor("none" if effect is None else DIVERGING(norm(effect)))
            cell.set_gid(f"cell-{layer + 1}-{head + 1}")
            shown = "not measured" if effect is None else f"{signed(effect)} {unit}"
            tips[f"cell-{layer + 1}-{head + 1}"] = f"layer {layer + 1}, head {head + 1}: {shown}"
            axes.add_patch(cell)
            if effect is not None and widest <= MOST_WRITTEN:
                colour = "white" if abs(effect) > 0.6 * limit else INK
                axes.text(head + 1, layer + 1, signed(effect), ha="center", va="center", fontsize=6.5, color=colour)
        axes.set(xlim=(0.5, widest + 0.5), ylim=(len(counts) + 0.5, 0.5), xlabel="head", ylabel="layer")
        axes.set_title(f"{domain}, {KIND_NAMES[kind]}")
        axes.set_xticks(_ticks(widest))
        axes.set_yticks(_ticks(len(counts)))
        axes.tick_params(length=0)
        axes.spines[:].set_visible(False)
        bar = figure.colorbar(
            ScalarMappable(norm, DIVERGING), ax=axes, extend="both", pad=0.02, aspect=12, fraction=0.08
        )
        bar.set_ticks([-limit, 0, limit], labels=[signed(-limit), "0", signed(limit)])
        bar.set_label(unit)
        bar.outline.set_visible(False)  # type: ignore[reportCallIssue]
        bar.ax.tick_params(length=0)
        return _draw(figure, name, f"Effect of removing each head, {domain}, {KIND_NAMES[kind]}", tips)


def one_head_against_none(alone: pl.DataFrame, none: pl.DataFrame, name: str) -> Drawing:
    """Each layer with one head left, every head in turn, against no head at all; one domain and kind, layers from 1.

    Args:
        alone: all-but-one effects (columns layer, effect and what names the domain).
        none: no-head effects of the same layers; may be empty.
        name: of the drawing.
    """
    unit, domain, kind = alone["unit"][0], alone["domain"][0], alone["kind"][0]
    best = alone.group_by("layer").agg(pl.col("effect").max()).sort("layer")
    with mpl.rc_context(RC):
        figure, axes = _panel(4.1, 2.6)
        axes.axhline(0, color=INK, linewidth=0.5, alpha=0.35, zorder=0)
        axes.scatter(alone["layer"] + 1, alone["effect"], s=7, color=INK, alpha=0.3, linewidths=0, label="any one head")
        axes.scatter(best["layer"] + 1, best["effect"], s=30, color=KIND_COLOURS[kind], linewidths=0, label="best head")
        axes.scatter(
            none["layer"] + 1, none["effect"], s=34, marker="x", color=INK, linewidths=1.3, label="no head (control)"
        )
        axes.set(title=f"{domain}, {KIND_NAMES[kind]}", xlabel="layer", ylabel=f"effect ({unit})")
        axes.set_xticks(_ticks(int(alone["layer"].max()) + 1))  # type: ignore[arg-type]
        axes.margins(x=0.06, y=0.12)
        figure.legend(loc="outside lower center", ncols=3, handletextpad=0.2, columnspacing=1)
        return _draw(figure, name, f"One head left in each layer against none, {domain}, {KIND_NAMES[kind]}")


def pruning_curves(curves: pl.DataFrame, by: str, title: str, name: str) -> Drawing:
    """Figures 3 and 4: the score over the share of heads removed, one domain.

    Args:
        curves: as `curves.mean_curves` gives them; where several seeds are one, a band from the lowest to the highest.
        by: the column that a line is drawn for each value of: `curve` (figure 3) or `kinds` (figure 4).
        title: of the panel.
        name: of the drawing.
    """
    metric, base = curves["metric"][0], curves["base_score"][0]
    drawn: dict[str, int] = {}
    with mpl.rc_context(RC):
        figure, axes = _panel(4.1, 3.3)
        axes.axhline(base, color=INK, linewidth=0.8, linestyle=(0, (4, 2)), alpha=0.6, zorder=0)
        for (value,), line in curves.group_by(by, maintain_order=True):
            colour = KIND_COLOURS.get(str(value)) or ORDER_COLOURS[line["order"][0]]
            style = LINES[drawn.setdefault(colour, 0) % len(LINES)]
            drawn[colour] += 1
            percent = 100 * line["share"]
            if line["curves"].max() > 1:  # type: ignore[reportOptionalOperand]
                axes.fill_between(percent, line["low"], line["high"], color=colour, alpha=0.2, linewidth=0)
            label = KIND_LABELS.get(str(value), str(value))
            axes.plot(percent, line["score"], color=colour, linestyle=style, marker="o", markersize=2.5, label=label)
        axes.set(title=title, xlabel="heads removed (%)", ylabel=SCORE_NAMES[metric], xlim=(-2, 102))
        figure.legend(loc="outside lower center", ncols=2, handlelength=2, columnspacing=1)
        return _draw(figure, name, f"Score over the share of heads removed, {title}")


def _panel(width: float, height: float) -> tuple[Figure, Axes]:
    """A figure of one panel, in inches; no pyplot, so nothing is shared between figures."""
    figure = Figure(figsize=(width, height), layout="constrained")
    return figure, figure.subplots()


def _draw(figure: Figure, name: str, title: str, tips: Mapping[str, str] | None = None) -> Drawing:
    """The figure as one `<svg>` element whose ids are its own on a page of many."""
    buffer = io.StringIO()
    nothing = dict.fromkeys(["Date", "Creator", "Format", "Type"])
    figure.savefig(buffer, format="svg", metadata=nothing, transparent=True)
    svg = buffer.getvalue()
    svg = svg[svg.index("<svg") :].strip().replace(INK, "currentColor")
    svg = re.sub(r"'DejaVu Sans'(, [\w' -]+)*", FONTS, svg)
    for cell, tip in (tips or {}).items():
        svg = svg.replace(f'<g id="{cell}">', f'<g id="{cell}"><title>{escape(tip)}</title>')
    svg = re.sub(r'(\bid="|url\(#|href="#)', rf"\1{name.replace('/', '.')}.", svg)
    label = f' role="img" aria-label="{escape(title)}">'
    return Drawing(name, title, svg.replace(">", label, 1))


def _kinds(table: pl.DataFrame) -> list[str]:
    present = set(table["kind"])
    return [str(kind) for kind in AttentionKind if kind in present]


def _bins(scores: np.ndarray) -> list[float]:
    """Bin edges for about 30 bars, also when all scores are the same."""
    low, high = float(scores.min()), float(scores.max())
    return np.linspace(low, high, 31).tolist() if high > low else [low - 0.5, low + 0.5]


def _ticks(count: int) -> list[int]:
    """1 to `count`, every number or every second one."""
    return list(range(1, count + 1, 1 if count <= 16 else 2))


def _name_outliers(axes: Axes, both: pl.DataFrame) -> None:
    """Write layer.head (from 1) at the three heads of largest effect."""
    size = pl.max_horizontal(pl.col("effect_a").abs(), pl.col("effect_b").abs())
    for row in both.sort(size, descending=True, maintain_order=True).head(3).iter_rows(named=True):
        axes.annotate(
            f"{row['layer'] + 1}.{row['head'] + 1}",
            (row["effect_a"], row["effect_b"]),
            xytext=(4, 3),
            textcoords="offset points",
            fontsize=7,
        )
