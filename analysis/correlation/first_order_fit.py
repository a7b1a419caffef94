"""Taylor against truth: does the importance of a head say what its removal costs?

Importance is a first-order estimate; the effect of removing each head alone is measured. Their rank correlation is of
this model on these examples; its interval is a delete-a-group jackknife, in which groups of examples (a premise, a
document) stay together, as a bootstrap would add the sampling noise a second time.
"""

from collections.abc import Iterator
from itertools import product

import numpy as np
import polars as pl
from jaxtyping import Float, Int

from analysis.correlation import jackknife
from analysis.correlation.coefficients import spearman
from analysis.correlation.pairs import FEWEST, by_kind
from analysis.effects.head_effects import DEFAULT
from analysis.inference import Inference
from analysis.results.domain import IDENTITY, Domain
from study.record.importance import Estimator, Normalisation, importance
from study.record.loss import PLAIN, Loss
from study.record.scores import mask_losses, mask_scores

BLOCKS = 20
"""Parts that the groups of examples are dealt into, each left out once."""

SCHEMA = (
    dict.fromkeys((*IDENTITY, "loss", "estimator", "normalisation", "cost", "kind"), pl.String)
    | dict.fromkeys(["heads", "n"], pl.Int64)
    | dict.fromkeys(["spearman", "low", "high"], pl.Float64)
)

Heads = Float[np.ndarray, " heads"]
Places = Int[np.ndarray, " heads"]


def taylor(domain: Domain, inference: Inference = DEFAULT) -> pl.DataFrame:
    """Spearman's correlation of importance with what removing each head costs; no rows where either was not measured.

    Returns:
        Columns of the domain; loss (whose gradients), estimator, normalisation (none and within layers), cost (in
        `score`, or in `loss` where that was measured with heads off), kind ("all" or an attention kind), heads,
        n (examples), spearman, low, high (null where a correlation does not exist or nothing can be left out).
    """
    rows = [row for loss, gradients in domain.gradients.items() for row in _rows(domain, loss, gradients, inference)]
    return pl.DataFrame(rows, schema=SCHEMA, orient="row")


def _rows(domain: Domain, loss: Loss, gradients: pl.DataFrame, inference: Inference) -> Iterator[tuple[object, ...]]:
    layout, whole = domain.layout, gradients.filter(mask=domain.layout.full_key)
    costs = dict(_costs(domain, loss, gradients))
    if not costs:
        return
    blocks = _blocks(domain, whole["example"], inference.groups)
    parts = [whole.join(block, on="example") for block in blocks]
    ways = list(product(Estimator, (Normalisation.none, Normalisation.layer_l2)))
    importances = {way: np.stack([importance(part, layout, *way) for part in parts]) for way in ways}
    for cost, (rows, at) in costs.items():
        harm = np.stack([_harm(rows.join(block, on="example"), domain, at, cost) for block in blocks])
        for (estimator, normalisation), values in importances.items():
            for kind, where in by_kind([layout.heads[i] for i in at]):
                found = _jackknifed(_correlations(values[:, at[where]], harm[:, where]), inference.alpha)
                names = (*domain.identity.values(), str(loss), str(estimator), str(normalisation), cost, kind)
                yield (*names, int(where.sum()), whole.height, *found)


def _costs(domain: Domain, loss: Loss, gradients: pl.DataFrame) -> Iterator[tuple[str, tuple[pl.DataFrame, Places]]]:
    """By name, the rows that say what each mask costs, and of which heads they do; none where these are too few.

    A classifier's outcomes hold the plain loss as well.
    """
    off = list(map(domain.layout.key, domain.layout.each_off()))
    has_loss = loss == PLAIN and "loss" in domain.rows.columns
    for cost, rows in {"score": domain.rows, "loss": domain.rows if has_loss else gradients}.items():
        measured = set(rows["mask"].unique())
        at = np.array([i for i, mask in enumerate(off) if mask in measured], dtype=np.int64)
        if len(at) >= FEWEST:
            yield cost, (rows.filter(pl.col("mask").is_in([domain.layout.full_key, *off])), at)


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


def _harm(rows: pl.DataFrame, domain: Domain, at: Places, cost: str) -> Heads:
    """By how much the score falls, or the mean loss rises, without each of these heads."""
    if cost == "loss":
        values = mask_losses(rows)
    else:
        values = {mask: -score for mask, _, score in mask_scores(rows, domain.metric).iter_rows()}
    off = domain.layout.each_off(domain.layout.heads[i] for i in at)
    return np.array([values[domain.layout.key(mask)] - values[domain.layout.full_key] for mask in off])


def _correlations(
    a: Float[np.ndarray, "blocks heads"], b: Float[np.ndarray, "blocks heads"]
) -> Float[np.ndarray, " blocks"]:
    """Spearman's of each row; NaN where all heads of either are equal, or there are too few."""
    return spearman(a, b) if a.shape[1] >= FEWEST else np.full(len(a), np.nan)


def _jackknifed(values: Float[np.ndarray, " blocks"], alpha: float) -> tuple[float | None, float | None, float | None]:
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
