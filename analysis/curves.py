"""Pruning curves: the score over the share of heads removed, for every order that was measured (figures 3 and 4).

Which masks form a curve stands beside the outcomes (`study.curves`); the scores are those of the outcomes.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import polars as pl

from analysis import paper
from analysis.effects import base_score
from analysis.read import Domain
from study.curves import Curve
from study.scores import mask_scores

ALL_KINDS = "all"
"""In the column `kinds`: heads of every attention kind together."""

WITHIN = 1.0
"""Loss of score, in its unit, that the largest share of heads that can go is given for."""

POINTS = {
    "subject": pl.String,
    "subject_id": pl.String,
    "domain": pl.String,
    "setting_id": pl.String,
    "metric": pl.String,
    "kinds": pl.String,
    "curve": pl.String,
    "order": pl.String,
    "seed": pl.Int64,
    "order_examples": pl.Int64,
    "removed": pl.Int64,
    "heads": pl.Int64,
    "share": pl.Float64,
    "base_score": pl.Float64,
    "score": pl.Float64,
}
CURVE = ["subject", "subject_id", "domain", "setting_id", "metric", "kinds", "curve", "order"]


def curve_points(domain: Domain) -> pl.DataFrame:
    """Every point of every curve of a domain whose masks are all complete.

    Returns:
        Columns of the domain; kinds, curve (the order in words), order, seed (of random orders), order_examples (that
        the order was made of), removed, heads, share (of the heads of these kinds, 0 to 1), base_score, score.
    """
    scores = dict(mask_scores(domain.rows, domain.metric).select("mask", "score").iter_rows())
    rows = [
        (
            *domain.identity.values(),
            str(domain.metric.name),
            "+".join(curve.kinds) or ALL_KINDS,
            in_words(curve, domain.data),
            curve.order,
            curve.options.get("seed"),
            curve.examples,
            removed,
            curve.heads,
            removed / curve.heads,
            base_score(domain),
            scores[mask],
        )
        for curve in domain.curves
        if set(curve.masks) <= scores.keys()
        for removed, mask in zip(curve.removed, curve.masks, strict=True)
    ]
    return pl.DataFrame(rows, schema=POINTS, orient="row")


def in_words(curve: Curve, data: str) -> str:
    """The order of a curve and what is unusual about it; random orders of all seeds have one name."""
    options: Mapping[str, Any] = curve.options
    usual = {
        "estimator": "paper",
        "normalisation": "layer_l2",
        "average": "examples",
        "loss": "plain",
        "steps": "paper",
    }
    unusual = [f"{name} {options[name]}" for name, value in usual.items() if options.get(name, value) != value]
    unusual += [f"from {options['data']}"] if options.get("data", data) != data else []
    unusual += [str(options["file"])] if "file" in options else []
    unusual += ["a head kept in each layer"] if not options.get("allow_empty_layers", True) else []
    name = curve.order.replace("_", " ") + (", reversed" if options.get("reverse") else "")
    return f"{name} ({', '.join(unusual)})" if unusual else name


def mean_curves(points: pl.DataFrame) -> pl.DataFrame:
    """The curves of all seeds of an order as one: columns of `CURVE`, share, base_score, score, low, high, curves."""
    return points.group_by(*CURVE, "share", maintain_order=True).agg(
        pl.col("base_score").first(),
        pl.col("score").mean(),
        low=pl.col("score").min(),
        high=pl.col("score").max(),
        curves=pl.len().cast(pl.Int64),
    )


def curve_summary(points: pl.DataFrame, within: float = WITHIN) -> pl.DataFrame:
    """One row a curve: what it comes to as a number.

    Args:
        points: as `curve_points`.
        within: loss of score, in its unit.

    Returns:
        Columns of `CURVE`; curves (seeds), base_score; area: the mean score along the curve, the area under it divided
        by the share that it ends at; area_low, area_high over the seeds; within, and share: the largest that can go
        before the (mean) score is further than that below the base; paper_share where the subject is the paper's.
    """
    means = mean_curves(points)
    rows = []
    for key, curve in means.group_by(CURVE, maintain_order=True):
        same = pl.all_horizontal(pl.col(name) == value for name, value in zip(CURVE, key, strict=True))
        areas = [_area(seed) for _, seed in points.filter(same).group_by("seed", maintain_order=True)]
        kept = (curve["score"] >= curve["base_score"] - within).cum_prod().cast(pl.Boolean)
        named = dict(zip(CURVE, key, strict=True))
        usual = named["curve"] == "importance" and named["kinds"] == ALL_KINDS
        rows.append(
            {
                **named,
                "curves": len(areas),
                "base_score": curve["base_score"][0],
                "area": float(np.mean(areas)),
                "area_low": min(areas),
                "area_high": max(areas),
                "within": within,
                "share": curve.filter(kept)["share"].max(),
                "paper_share": paper.PRUNABLE.get((named["subject"], named["domain"])) if usual else None,
            }
        )
    schema = {name: POINTS[name] for name in CURVE} | {"curves": pl.Int64}
    numbers = ["base_score", "area", "area_low", "area_high", "within", "share", "paper_share"]
    return pl.DataFrame(rows, schema=schema | dict.fromkeys(numbers, pl.Float64))


def _area(curve: pl.DataFrame) -> float:
    share, score = curve["share"].to_numpy(), curve["score"].to_numpy()
    return float(np.trapezoid(score, share) / share[-1]) if share[-1] > 0 else float(score[0])
