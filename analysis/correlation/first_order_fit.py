"""Taylor against truth: does the importance of a head say what its removal costs?

Importance is a first-order estimate; the effect of removing each head alone is measured. Their rank correlation is of
this model on these examples; its interval is a delete-a-group jackknife, in which groups of examples (a premise, a
document) stay together, as a bootstrap would add the sampling noise a second time.
"""

from collections.abc import Iterator
from itertools import product

import numpy as np
import polars as pl
from jaxtyping import Float

from analysis.correlation import jackknife
from analysis.correlation.coefficients import spearman
from analysis.effects.head_effects import ALL_KINDS, DEFAULT
from analysis.inference import Inference
from analysis.results.domain import Domain
from study.record.heads import AttentionKind, mask_key
from study.record.importance import Estimator, Normalisation, importance
from study.record.loss import PLAIN, Loss
from study.record.metrics.statistics import Metric
from study.record.scores import mask_losses, mask_scores

BLOCKS = 20
"""Parts that the groups of examples are dealt into, each left out once."""

FEWEST = 3
"""Heads of a correlation."""

SCHEMA = {
    "subject": pl.String,
    "subject_id": pl.String,
    "domain": pl.String,
    "setting_id": pl.String,
    "loss": pl.String,
    "estimator": pl.String,
    "normalisation": pl.String,
    "cost": pl.String,
    "kind": pl.String,
    "heads": pl.Int64,
    "n": pl.Int64,
    "spearman": pl.Float64,
    "low": pl.Float64,
    "high": pl.Float64,
}

Heads = Float[np.ndarray, " heads"]


def taylor(domain: Domain, inference: Inference = DEFAULT) -> pl.DataFrame:
    """Spearman's correlation of importance with what removing each head costs; no rows where either was not measured.

    Args:
        domain: its outcomes and gradients.
        inference: what is left out together, and the level of the interval.

    Returns:
        Columns of the domain; loss (whose gradients), estimator, normalisation (none and within layers), cost (in
        `score`, or in `loss` where that was measured with heads off), kind ("all" or an attention kind), heads,
        n (examples), spearman, low, high (null where a correlation does not exist or nothing can be left out).
    """
    rows = [row for loss, gradients in domain.gradients.items() for row in _rows(domain, loss, gradients, inference)]
    return pl.DataFrame(rows, schema=SCHEMA, orient="row")


def _rows(domain: Domain, loss: Loss, gradients: pl.DataFrame, inference: Inference) -> Iterator[tuple[object, ...]]:
    layout = domain.layout
    full, off = layout.full_key, list(map(mask_key, layout.each_off()))
    of_full = gradients.filter(pl.col("mask") == full)
    blocks = _blocks(domain, of_full["example"], inference.groups)
    for cost, truth in _truths(domain, loss, gradients).items():
        measured = set(truth["mask"])
        at = np.array([i for i, key in enumerate(off) if key in measured], dtype=int)
        if len(at) < FEWEST:
            continue
        alone = truth.filter(pl.col("mask").is_in([full, *off]))
        harm = [
            _harm(alone.join(part, on="example"), domain.metric, full, [off[i] for i in at], cost) for part in blocks
        ]
        parts = [of_full.join(part, on="example") for part in blocks]
        for estimator, normalisation in product(Estimator, (Normalisation.none, Normalisation.layer_l2)):
            values = [importance(part, layout, estimator, normalisation)[at] for part in parts]
            for kind, where in _kinds(domain, at):
                found = _jackknifed(
                    [_correlation(v[where], h[where]) for v, h in zip(values, harm, strict=True)], inference.alpha
                )
                names = (*domain.identity.values(), str(loss), str(estimator), str(normalisation), cost, kind)
                yield (*names, int(where.sum()), of_full.height, *found)


def _truths(domain: Domain, loss: Loss, gradients: pl.DataFrame) -> dict[str, pl.DataFrame]:
    """By cost, the rows that say what each mask costs: a classifier's outcomes hold the plain loss as well."""
    has_loss = loss == PLAIN and "loss" in domain.rows.columns
    return {"score": domain.rows, "loss": domain.rows if has_loss else gradients}


def _blocks(domain: Domain, examples: pl.Series, groups: str) -> list[pl.DataFrame]:
    """The examples, then the examples without each block of groups."""
    table = domain.examples.filter(pl.col("example").is_in(examples.implode()))
    group = table[domain.group_column(groups)]
    names = group.unique(maintain_order=True)
    count = min(BLOCKS, names.len()) if names.len() > 1 else 0  # without its only group there is nothing
    dealt = np.random.default_rng(0).permutation(names.len()) % max(count, 1)
    block = group.replace_strict(names, pl.Series(dealt))
    every = table.select("example")
    return [every, *(every.filter(block != i) for i in range(count))]


def _harm(rows: pl.DataFrame, metric: Metric, full: str, off: list[str], cost: str) -> Heads:
    """By how much the score falls, or the mean loss rises, without each head."""
    if cost == "loss":
        values = mask_losses(rows)
        return np.array([values[mask] - values[full] for mask in off])
    values = dict(mask_scores(rows, metric).select("mask", "score").iter_rows())
    return np.array([values[full] - values[mask] for mask in off])


def _kinds(domain: Domain, at: np.ndarray) -> Iterator[tuple[str, np.ndarray]]:
    kinds = np.array([str(domain.layout.heads[i].kind) for i in at])
    yield ALL_KINDS, np.ones(len(at), dtype=bool)
    present = [str(kind) for kind in AttentionKind if kind in set(kinds)]
    if len(present) > 1:
        yield from ((kind, kinds == kind) for kind in present)


def _correlation(a: Heads, b: Heads) -> float:
    """NaN where all of either are equal, or there are too few."""
    return spearman(a, b) if len(a) >= FEWEST else float("nan")


def _jackknifed(values: list[float], alpha: float) -> tuple[float | None, float | None, float | None]:
    """The first value with its interval from the others, each without one of equal blocks."""
    estimate, without = values[0], np.array(values[1:])
    if np.isnan(estimate):
        return None, None, None
    found = jackknife.interval(estimate, without, level=1 - alpha) if len(without) > 1 else None
    low, high = found or (None, None)
    return estimate, low, high
