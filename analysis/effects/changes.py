"""Changes: the examples that came out otherwise when a single head was removed, and what came out instead."""

import numpy as np
import polars as pl

from analysis.effects.head_effects import Measure, measured_masks
from analysis.results.domain import HYPOTHESIS, PREDICTION, Domain
from study.record.metrics.numbers import OUTPUT, PER_UNIT
from study.record.units import ADDRESS

CHANGES = (
    ADDRESS
    | {"example": pl.String, "before": pl.Float64, "after": pl.Float64}
    | {"was": pl.String, "now": pl.String, "margin": pl.Float64}
)


def changes(domain: Domain) -> pl.DataFrame:
    """Every example whose answer or score is another one without a head, for every head that was removed alone.

    Returns:
        Columns kind, layer, head (from 0), example, before, after (score of the example alone, with every head and
        without this one), was, now (what the model answered; null where it was not stored), margin (the smaller of
        both: how far the outcome was from being the same). Of each head the largest change of score comes first; of
        equal ones that of the largest margin.
    """
    layout = domain.layout
    removed = measured_masks(layout).filter(pl.col("measure") == str(Measure.ABLATION)).select(*ADDRESS, "mask")
    rows = _answers(domain)
    full = rows.filter(pl.col("mask") == layout.full_key)
    pairs = rows.join(removed, on="mask").join(full, on="example", suffix="_full")
    changed = (pl.col("score") != pl.col("score_full")) | pl.col("answer").ne_missing(pl.col("answer_full"))
    return (
        pairs.filter(changed)
        .select(
            *ADDRESS,
            "example",
            before="score_full",
            after="score",
            was="answer_full",
            now="answer",
            margin=pl.min_horizontal("margin", "margin_full"),
        )
        .sort(
            pl.col("kind").cast(pl.Enum([str(kind) for kind in layout.counts])),
            "layer",
            "head",
            (pl.col("after") - pl.col("before")).abs().neg(),
            pl.col("margin").neg(),
            "example",
        )
        .cast(CHANGES)  # type: ignore[arg-type]
    )


def change_counts(changed: pl.DataFrame) -> pl.DataFrame:
    """How many examples came out worse, better, or otherwise at the same score, by head: lost, gained, other."""
    rise = pl.col("after") - pl.col("before")
    return changed.group_by(*ADDRESS, maintain_order=True).agg(
        lost=(rise < 0).sum().cast(pl.Int64),
        gained=(rise > 0).sum().cast(pl.Int64),
        other=(rise == 0).sum().cast(pl.Int64),
    )


def _answers(domain: Domain) -> pl.DataFrame:
    """The score of the example alone, the margin and the answer as text, of every mask and example."""
    rows, metric = domain.rows, domain.metric
    statistics = rows.select(metric.statistics).to_numpy()
    column = next((name for name in (HYPOTHESIS, PREDICTION, OUTPUT) if name in rows.columns), None)
    answer = pl.lit(None, dtype=pl.String) if column is None else pl.col(column)
    if column == PREDICTION:
        names = dict(enumerate(domain.labels))
        answer = answer.replace_strict(names, default=answer.cast(pl.String), return_dtype=pl.String)
    if column == OUTPUT:
        answer = (answer / PER_UNIT).round(3).cast(pl.String)
    return rows.select(
        "mask",
        "example",
        score=pl.Series(np.asarray(metric.score_alone(statistics), dtype=np.float64)),
        margin=pl.col("margin").cast(pl.Float64),
        answer=answer,
    )
