"""Changes: the examples that came out otherwise when a head or a larger unit was removed, and what came out instead."""

import numpy as np
import polars as pl

from analysis.results.domain import Domain
from study.record.metrics.bleu import HYPOTHESIS
from study.record.metrics.choices.alternatives import LOGLIK
from study.record.metrics.labels import PREDICTION
from study.record.metrics.numbers import OUTPUT, PER_UNIT
from study.record.units import ADDRESS, UnitLevel

CHANGES = (
    ADDRESS
    | {"example": pl.String, "before": pl.Float64, "after": pl.Float64}
    | {"was": pl.String, "now": pl.String, "margin": pl.Float64}
    | {"likely_before": pl.List(pl.Float64), "likely_after": pl.List(pl.Float64)}
    | {"level": pl.String}
)

UNIT = [*ADDRESS, "level"]
"""Columns that say which unit a change is of."""


def changes(domain: Domain) -> pl.DataFrame:
    """Every example whose answer or score is another one without a unit, for every unit that was removed by itself.

    Returns:
        Columns kind, layer, head (from 0), example, before, after (score of the example alone, with every head and
        without this one), was, now (what the model answered; null where it was not stored), margin (the smaller of
        both: how far the outcome was from being the same), likely_before, likely_after (how likely a language model
        found each continuation, nats; null of other models), level (what the unit is; of a layer and of an MLP there
        is no head). Of each unit the largest change of score comes first; of
        equal ones that of the largest margin. All log-likelihoods move: a change is one of the metric's margin or more.
    """
    layout = domain.layout
    removed = domain.removed(UnitLevel)
    rows = _answers(domain)
    full = rows.filter(pl.col("mask") == layout.full_key)
    pairs = rows.join(removed, on="mask").join(full, on="example", suffix="_full")
    rise = pl.col("score") - pl.col("score_full")
    moved = rise != 0 if domain.metric.is_repeated else rise.abs() >= domain.metric.margin
    changed = moved | pl.col("answer").ne_missing(pl.col("answer_full"))
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
            likely_before="likely_full",
            likely_after="likely",
            level="level",
        )
        .sort(
            pl.col("level").cast(pl.Enum(list(map(str, UnitLevel)))),
            pl.col("kind").cast(pl.Enum([*map(str, layout.counts), UnitLevel.mlp])),
            "layer",
            "head",
            (pl.col("after") - pl.col("before")).abs().neg(),
            pl.col("margin").neg(),
            "example",
        )
        .cast(CHANGES)  # type: ignore[arg-type]
    )


def change_counts(changed: pl.DataFrame) -> pl.DataFrame:
    """How many examples came out worse, better, or otherwise at the same score, by unit: lost, gained, other."""
    rise = pl.col("after") - pl.col("before")
    return changed.group_by(UNIT, maintain_order=True).agg(
        lost=(rise < 0).sum().cast(pl.Int64),
        gained=(rise > 0).sum().cast(pl.Int64),
        other=(rise == 0).sum().cast(pl.Int64),
    )


def _answers(domain: Domain) -> pl.DataFrame:
    """The score of the example alone, the margin and the answer as text, of every mask and example."""
    rows, metric = domain.rows, domain.metric
    statistics = rows.select(metric.statistics).to_numpy()
    likely = pl.col(LOGLIK).cast(pl.List(pl.Float64)) if LOGLIK in rows.columns else pl.lit(None, pl.List(pl.Float64))
    return rows.select(
        "mask",
        "example",
        score=pl.Series(np.asarray(metric.score_alone(statistics), dtype=np.float64)),
        margin=pl.col("margin").cast(pl.Float64),
        answer=_answer(domain),
        likely=likely,
    )


def _answer(domain: Domain) -> pl.Expr:
    """The answer of a row as text; of a choice the number of the continuation, from 0."""
    columns = domain.rows.columns
    if LOGLIK in columns:
        return pl.col(LOGLIK).list.arg_max().cast(pl.String)
    column = next((name for name in (HYPOTHESIS, PREDICTION, OUTPUT) if name in columns), None)
    if column is None:
        return pl.lit(None, dtype=pl.String)
    answer = pl.col(column)
    if column == PREDICTION:
        names = dict(enumerate(domain.labels))
        return answer.replace_strict(names, default=answer.cast(pl.String), return_dtype=pl.String)
    return (answer / PER_UNIT).round(3).cast(pl.String) if column == OUTPUT else answer
