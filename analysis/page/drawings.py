"""Which figures the page has of a domain, or of two, and what their files are called."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import polars as pl

from analysis import figures
from analysis.correlation import ALL_KINDS, matched, pairs
from analysis.curves import mean_curves
from analysis.figures import Drawing
from analysis.page.grids import by_kind
from analysis.words import slug
from study.heads import HeadLayout


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


def scatters(effects: pl.DataFrame, correlation: Sequence[Mapping[str, Any]], folder: str) -> Iterable[Drawing]:
    """Figure 2 of every two domains of a subject."""
    overall = {(row["setting_a"], row["setting_b"]): row for row in correlation if row["kind"] == ALL_KINDS}
    for a, b in pairs(effects):
        both = matched(a, b)
        row = overall.get((a["setting_id"][0], b["setting_id"][0]))
        if row is None or both.is_empty():
            continue
        labels = (a["domain"][0], b["domain"][0])
        name = f"{folder}/figure2-{slug(labels[0])}-{slug(labels[1])}"
        r = "no correlation" if row["pearson"] is None else f"r = {row['pearson']:.2f}"
        yield figures.scatter(both, labels, a["unit"][0], f"{r}, {both.height} heads", name)
