"""Taylor against truth: does the importance of a head, or other unit, say what its removal costs?

Importance is a first-order estimate; the effect of removing each unit alone is measured. Their correlations are of
this model on these examples; intervals are a delete-a-group jackknife, in which groups of examples (a premise, a
document) stay together, as a bootstrap would add the sampling noise a second time.
"""

from collections.abc import Iterator, Sequence
from itertools import product
from typing import NamedTuple

import numpy as np
import polars as pl
from jaxtyping import Float, Int

from analysis.correlation import jackknife
from analysis.correlation.coefficients import pearson, spearman
from analysis.correlation.pairs import FEWEST, by_kind
from analysis.effects.head_effects import DEFAULT
from analysis.inference import Inference
from analysis.results.domain import IDENTITY, Domain
from study.record.importance import ONE_A_LAYER, Estimator, Normalisation, importance
from study.record.loss import PLAIN, Loss
from study.record.metrics.loss import LogLikelihood
from study.record.scores import mask_losses, mask_scores
from study.record.units import Unit, UnitLevel

BLOCKS = 20
"""Parts that the groups of examples are dealt into, each left out once."""

SCHEMA = (
    dict.fromkeys((*IDENTITY, "loss", "estimator", "normalisation", "units", "cost", "kind"), pl.String)
    | dict.fromkeys(["heads", "n"], pl.Int64)
    | dict.fromkeys(["spearman", "low", "high", "pearson", "pearson_low", "pearson_high"], pl.Float64)
)

Costs = Float[np.ndarray, " units"]


class _Cost(NamedTuple):
    """What the removal of each unit of a level costs.

    Attributes:
        name: `score` or `loss`.
        level: the units.
        rows: outcomes or gradients that say so.
        places: which units of the level were measured.
    """

    name: str
    level: UnitLevel
    rows: pl.DataFrame
    places: Int[np.ndarray, " units"]


def taylor(domain: Domain, inference: Inference = DEFAULT) -> pl.DataFrame:
    """Correlations of importance with what removing each unit costs; no rows where either was not measured.

    Returns:
        Columns of the domain; loss (whose gradients), estimator, normalisation (none and within layers), units (their
        level), cost (in `score`, or in `loss` where that was measured with units off), kind ("all" or an attention
        kind), heads (how many units), n (examples), spearman, low, high; pearson, pearson_low, pearson_high (null where
        a correlation does not exist or nothing can be left out).
    """
    rows = [row for loss, gradients in domain.gradients.items() for row in _rows(domain, loss, gradients, inference)]
    return pl.DataFrame(rows, schema=SCHEMA, orient="row")


def _rows(domain: Domain, loss: Loss, gradients: pl.DataFrame, inference: Inference) -> Iterator[tuple[object, ...]]:
    layout, whole = domain.layout, gradients.filter(mask=domain.layout.full_key)
    costs = [cost for level in UnitLevel for cost in _costs(domain, loss, gradients, level)]
    if not costs:
        return
    blocks = blocks_of(domain, whole["example"], inference.groups)
    parts = [whole.join(block, on="example") for block in blocks]
    for cost in costs:
        units = [layout.units(cost.level)[i] for i in cost.places]
        harm = np.stack([_harm(cost.rows.join(block, on="example"), domain, units, cost.name) for block in blocks])
        for estimator, normalisation in _ways(cost.level):
            own = [importance(part, layout, estimator, normalisation, level=cost.level) for part in parts]
            values = np.stack(own)[:, cost.places]
            for kind, where in by_kind(units):
                found = _correlations(values[:, where], harm[:, where], inference.alpha)
                way = (str(loss), str(estimator), str(normalisation), str(cost.level), cost.name, kind)
                yield (*domain.identity.values(), *way, int(where.sum()), whole.height, *found)


def _ways(level: UnitLevel) -> list[tuple[Estimator, Normalisation]]:
    """What can be estimated of units of a level."""
    several = level in (UnitLevel.group, UnitLevel.layer)
    estimators = [estimator for estimator in Estimator if not (several and estimator is Estimator.released_code)]
    within = () if level in ONE_A_LAYER else (Normalisation.layer_l2,)
    return list(product(estimators, (Normalisation.none, *within)))


def _costs(domain: Domain, loss: Loss, gradients: pl.DataFrame, level: UnitLevel) -> Iterator[_Cost]:
    """What the units of a level cost, in each way that was measured; none where these are too few.

    Outcomes may hold the plain loss as well; where it is the score, it is named once.
    """
    off = [domain.layout.key(mask) for mask in domain.layout.each_off(domain.layout.units(level))]
    has_loss = loss == PLAIN and "loss" in domain.rows.columns
    costs = {"score": domain.rows, "loss": domain.rows if has_loss else gradients}
    if has_loss and domain.metric.name == LogLikelihood.name:
        del costs["score"]
    for name, rows in costs.items():
        measured = set(rows["mask"].unique())
        places = np.array([i for i, mask in enumerate(off) if mask in measured], dtype=np.int64)
        if len(places) >= FEWEST:
            yield _Cost(name, level, rows.filter(pl.col("mask").is_in([domain.layout.full_key, *off])), places)


def blocks_of(domain: Domain, examples: pl.Series, groups: str) -> list[pl.DataFrame]:
    """The examples, then the examples without each block of groups."""
    table = domain.examples.filter(pl.col("example").is_in(examples.implode()))
    group = table[domain.group_column(groups)]
    names = group.unique(maintain_order=True)
    count = min(BLOCKS, names.len()) if names.len() > 1 else 0  # without its only group there is nothing
    dealt = np.random.default_rng(0).permutation(names.len()) % max(count, 1)
    block = group.replace_strict(names, pl.Series(dealt))
    every = table.select("example")
    return [every, *(every.filter(block != i) for i in range(count))]


def _harm(rows: pl.DataFrame, domain: Domain, units: Sequence[Unit], cost: str) -> Costs:
    """By how much the score falls, or the mean loss rises, without each of these units."""
    if cost == "loss":
        values = mask_losses(rows)
    else:
        values = {mask: -score for mask, _, score in mask_scores(rows, domain.metric).iter_rows()}
    off = domain.layout.each_off(units)
    return np.array([values[domain.layout.key(mask)] - values[domain.layout.full_key] for mask in off])


def _correlations(
    a: Float[np.ndarray, "blocks units"], b: Float[np.ndarray, "blocks units"], alpha: float
) -> list[float | None]:
    """Spearman's of each row, then Pearson's, with intervals; None where all of either are equal, or there are few."""
    if a.shape[1] < FEWEST:
        return [None] * 6
    return [number for coefficient in (spearman, pearson) for number in jackknifed(coefficient(a, b), alpha)]


def jackknifed(values: Float[np.ndarray, " blocks"], alpha: float) -> tuple[float | None, float | None, float | None]:
    """The first value with its interval from the others, each without one of equal blocks."""
    estimate, without = float(values[0]), values[1:]
    if np.isnan(estimate):
        return None, None, None
    parts = len(without)
    found = (
        jackknife.interval(estimate, jackknife.Stratum(without), parts=parts, level=1 - alpha) if parts > 1 else None
    )
    low, high = found or (None, None)
    return estimate, low, high
