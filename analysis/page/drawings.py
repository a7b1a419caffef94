"""Which figures the page has of a domain, or of two, and what their files are called."""

from collections.abc import Iterable, Mapping
from typing import Any

import polars as pl

from analysis import figures
from analysis.correlation import Correlations, matched, pairs
from analysis.curves.points import mean_curves
from analysis.effects.head_effects import ALL_KINDS
from analysis.figures import Drawing
from analysis.formatting import slug
from analysis.page.grids import by_kind
from study.record.heads import HeadLayout


def heat_maps(ablation: pl.DataFrame, layout: HeadLayout, limit: float, name: str) -> Iterable[Drawing]:
    """One for each attention kind."""
    for kind, part in by_kind(ablation):
        yield figures.heat_map(part, layout.counts[kind], limit, f"{name}-{kind}")


def one_head_drawings(alone: pl.DataFrame, none: pl.DataFrame, name: str) -> Iterable[Drawing]:
    """One head left against none, for each attention kind."""
    for kind, part in by_kind(alone):
        yield figures.one_head_against_none(part, none.filter(pl.col("kind") == str(kind)), f"{name}-{kind}")


def curve_drawings(points: pl.DataFrame, label: str, folder: str) -> Iterable[Drawing]:
    """Figure 3, the orders of all heads; figure 4, each order within one attention kind only."""
    means = mean_curves(points)
    whole = means.filter(pl.col("kinds") == ALL_KINDS)
    if whole.height:
        yield figures.pruning_curves(whole, "curve", label, f"{folder}/figure3-{slug(label)}")
    for (curve,), part in means.filter(pl.col("kinds") != ALL_KINDS).group_by("curve", maintain_order=True):
        name = f"{folder}/figure4-{slug(label)}-{slug(str(curve))}"
        yield figures.pruning_curves(part, "kinds", f"{label}, one kind only, by {curve}", name)


def pair_drawings(
    correlations: Correlations, effects: pl.DataFrame, labels: Mapping[str, str], folder: str
) -> Iterable[Drawing]:
    """Figure 2 of every two domains of a subject, each with its leave-top-k curve."""
    mine = pl.col("setting_a").is_in(list(labels))
    overall = correlations.correlation.filter(mine, pl.col("kind") == ALL_KINDS)
    for a, b in pairs(effects):
        settings = (a["setting_id"][0], b["setting_id"][0])
        of_pair = (pl.col("setting_a") == settings[0]) & (pl.col("setting_b") == settings[1])
        both, row = matched(a, b), next(iter(overall.filter(of_pair).rows(named=True)), None)
        if row is None or both.is_empty():
            continue
        names = (labels[settings[0]], labels[settings[1]])
        suffix = f"{slug(names[0])}-{slug(names[1])}"
        yield figures.scatter(both, names, a["unit"][0], _correlation_title(row), f"{folder}/figure2-{suffix}")
        without = correlations.without_largest.filter(of_pair, 2 * pl.col("left_out") <= both.height)
        if without.height > 1:
            yield figures.leave_out(without, names, f"{folder}/leave-out-{suffix}")


def _correlation_title(row: Mapping[str, Any]) -> str:
    if row["pearson"] is None:
        return f"no correlation, {row['heads']} heads"
    low, high = row["pearson_low"], row["pearson_high"]
    between = "" if low is None else f" ({low:.2f} to {high:.2f})"
    return f"r = {row['pearson']:.2f}{between}, {row['heads']} heads".replace("-", "−")
