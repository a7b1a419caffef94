"""Dynamics of training: the share of the score above chance that is left at each epoch, for each share of heads.

The paper's figure 5; the paper takes the share of the whole score, of which a model that knows nothing keeps all. The
checkpoints of a training are subjects of their own; their settings say of which training they are, at which epoch, from
which seed (`study.record.factors`). The curves are those of figure 3, one a checkpoint.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import polars as pl
from jaxtyping import Float

from analysis import paper
from analysis.curves.bands import ResampledCurves
from analysis.effects.chance import chance_columns

LINE = ["training", "domain", "metric", "kinds", "curve", "order"]
"""What the rows of one figure 5 have in common."""

DYNAMICS = {
    **dict.fromkeys(LINE, pl.String),
    "epoch": pl.Float64,
    "removed": pl.Int64,
    "heads": pl.Int64,
    "share": pl.Float64,
    "curves": pl.Int64,
    "base_score": pl.Float64,
    "chance": pl.Float64,
    "score": pl.Float64,
    "kept": pl.Float64,
    "low": pl.Float64,
    "high": pl.Float64,
    "band": pl.String,
    "paper_base_score": pl.Float64,
    "reason": pl.String,
}
POINT = [
    *(*LINE, "epoch", "removed", "heads", "share"),
    *("base_score", "chance", "score", "kept", "low", "high", "reason"),
]

AT_CHANCE = "its score with every head is not shown to be above chance"
"""Why there is no share."""


def dynamics(drawn: Sequence[ResampledCurves]) -> pl.DataFrame:
    """Figure 5 as a table, of every training whose checkpoints have pruning curves.

    Args:
        drawn: the curves of any domains; those that are of no checkpoint of a training are left alone.

    Returns:
        One row for each training, domain, order (`kinds`, `curve`, `order`, as in `curves.curve_points`), epoch and
        share of heads removed, sorted by these. `base_score`, `chance`, `score`: the means over `curves`: seeds of the
        training times those of a random order; chance is `effects.chance.chance`, or 0 where that says nothing.
        `kept`: the mean of (score - chance) / (base score - chance), 1 where nothing is lost; null where a base score
        is not above chance, by the lower end of its one-sided interval, and then `reason` says so. `low`, `high`,
        `band`: of several curves the lowest and the highest `kept` (`range`); of one, a percentile interval by a paired
        bootstrap over groups of examples (`bootstrap`). `paper_base_score`: the un-pruned score that the paper reads at
        this epoch, where the training is the paper's.
    """
    points = [point for curves in drawn for point in _points(curves)]
    table = pl.DataFrame(points, schema={name: DYNAMICS[name] for name in POINT}, orient="row").fill_nan(None)
    several = pl.len() > 1
    table = table.group_by(*LINE, "epoch", "removed", "heads", "share", maintain_order=True).agg(
        pl.len().cast(pl.Int64).alias("curves"),
        pl.col("base_score", "chance", "score").mean(),
        pl.col("reason").drop_nulls().first(),
        kept=pl.when(pl.col("kept").null_count() == 0).then(pl.col("kept").mean()),
        low=pl.when(several).then(pl.col("kept").min()).otherwise(pl.col("low").first()),
        high=pl.when(several).then(pl.col("kept").max()).otherwise(pl.col("high").first()),
        band=pl.when(several).then(pl.lit("range")).otherwise(pl.lit("bootstrap")),
    )
    theirs = [paper.FIGURE_5.get(key) for key in table.select("training", "epoch", "metric").iter_rows()]
    table = table.with_columns(paper_base_score=pl.Series(theirs, dtype=pl.Float64))
    return table.sort(*LINE, "epoch", "share", maintain_order=True).select(*DYNAMICS)


def _points(drawn: ResampledCurves) -> Iterator[tuple[Any, ...]]:
    """Every point of every complete curve of one checkpoint, with an interval of its own."""
    domain, base = drawn.domain, float(drawn.base[0])
    place = domain.checkpoint
    if place is None or not domain.curves:
        return
    known = chance_columns(domain, drawn.inference)
    floor, at_chance = known["chance"] or 0.0, known["above_chance"] is False
    for (kinds, name), curves in drawn.lines.items():
        for curve in curves:
            line = (place.family, domain.data, domain.metric.name, kinds, name, curve.order)
            for removed, scores in zip(curve.removed, drawn.along(curve).T, strict=True):
                at = (place.epoch, removed, curve.heads, removed / curve.heads)
                left = (None, None, None, AT_CHANCE) if at_chance else (*_kept(scores, drawn, floor), None)
                yield (*line, *at, base, floor, float(scores[0]), *left)


def _kept(
    scores: Float[np.ndarray, " draws"], drawn: ResampledCurves, floor: float
) -> tuple[float | None, float | None, float | None]:
    """The share of the score above chance that is left, with its interval; none where nothing is above chance.

    The interval is of the resamples whose base score is above chance, which are nearly all.
    """
    scores, base = scores - floor, drawn.base - floor
    if base[0] <= 0:
        return None, None, None
    low, high = drawn.interval(scores[base > 0] / base[base > 0])
    return float(scores[0] / base[0]), float(low), float(high)
