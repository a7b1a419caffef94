"""Taylor against truth: does the importance of a head say what its removal costs?

Importance is a first-order estimate; the effect of removing each head alone is measured. Their rank correlation is of
this model on these examples; its interval is a delete-a-group jackknife, in which groups of examples (a premise, a
document) stay together, as a bootstrap would add the sampling noise a second time.
"""

from collections.abc import Callable, Iterator

import numpy as np
import polars as pl
from jaxtyping import Float
from scipy import stats

from analysis.read import Domain
from study.heads import AttentionKind, mask_key
from study.importance import Estimator, Normalisation, importance

ALL_KINDS = "all"
BLOCKS = 20
"""Parts that the groups of examples are dealt into, each left out once."""

FEWEST = 3
"""Heads of a correlation."""

SCHEMA = {
    "subject": pl.String,
    "subject_id": pl.String,
    "domain": pl.String,
    "setting_id": pl.String,
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


def taylor(domain: Domain) -> pl.DataFrame:
    """Spearman's correlation of importance with what removing each head costs; no rows where either was not measured.

    Returns:
        Columns of the domain; estimator, normalisation (none and within layers), cost (in `score`, or in `loss` where
        it is stored), kind ("all" or an attention kind), heads, n (examples), spearman, low, high (95 %; null where a
        correlation does not exist).
    """
    layout = domain.layout
    off = [mask_key(layout.without([head])) for head in layout.heads]
    measured = set(domain.rows["mask"])
    at = np.array([i for i, key in enumerate(off) if key in measured], dtype=int)
    if domain.gradients.is_empty() or len(at) < FEWEST:
        return pl.DataFrame(schema=SCHEMA)
    examples = domain.gradients["example"]
    outcomes = domain.rows.filter(pl.col("example").is_in(examples.implode()))
    outcomes = outcomes.filter(pl.col("mask").is_in([mask_key(layout.full()), *off]))
    block = _blocks(domain, examples)
    parts = [(outcomes.join(part, on="example"), domain.gradients.join(part, on="example")) for part in block]
    costs = ["score", *(["loss"] if "loss" in outcomes.columns else [])]
    rows = []
    for cost in costs:
        harm = [_harm(out, domain, off, at, cost) for out, _ in parts]
        for estimator in Estimator:
            for normalisation in (Normalisation.none, Normalisation.layer_l2):
                values = [importance(gradients, layout, estimator, normalisation)[at] for _, gradients in parts]
                for kind, where in _kinds(domain, at):
                    found = _jackknifed([_spearman(v[where], h[where]) for v, h in zip(values, harm, strict=True)])
                    names = (*domain.identity.values(), str(estimator), str(normalisation), cost, kind)
                    rows.append((*names, int(where.sum()), examples.len(), *found))
    return pl.DataFrame(rows, schema=SCHEMA, orient="row")


def _blocks(domain: Domain, examples: pl.Series) -> list[pl.DataFrame]:
    """The examples, then the examples without each block of groups."""
    table = domain.examples.filter(pl.col("example").is_in(examples.implode()))
    group = table["group"] if "group" in table.columns else table["example"]
    names = group.unique(maintain_order=True)
    count = min(BLOCKS, names.len())
    dealt = np.random.default_rng(0).permutation(names.len()) % count
    block = group.replace_strict(names, pl.Series(dealt))
    every = table.select("example")
    return [every, *(every.filter(block != i) for i in range(count))]


def _harm(outcomes: pl.DataFrame, domain: Domain, off: list[str], at: np.ndarray, cost: str) -> Heads:
    """By how much the score falls, or the loss rises, without each head that was measured."""
    columns = [pl.col("loss").cast(pl.Float64).mean()] if cost == "loss" else [pl.col(domain.metric.statistics).sum()]
    sums = outcomes.group_by("mask").agg(*columns)
    if cost == "loss":
        value, sign = sums["loss"].to_numpy(), 1.0
    else:
        value, sign = domain.metric.score(sums.select(domain.metric.statistics).to_numpy()), -1.0
    found = dict(zip(sums["mask"], value, strict=True))
    base = found[mask_key(domain.layout.full())]
    return np.array([sign * (found[off[i]] - base) for i in at])


def _kinds(domain: Domain, at: np.ndarray) -> Iterator[tuple[str, np.ndarray]]:
    kinds = np.array([str(domain.layout.heads[i].kind) for i in at])
    yield ALL_KINDS, np.ones(len(at), dtype=bool)
    present = [str(kind) for kind in AttentionKind if kind in set(kinds)]
    if len(present) > 1:
        yield from ((kind, kinds == kind) for kind in present)


def _spearman(a: Heads, b: Heads, test: Callable = stats.spearmanr) -> float:
    """NaN where all of either are equal, or there are too few."""
    if len(a) < FEWEST or np.ptp(a) == 0 or np.ptp(b) == 0:
        return float("nan")
    return float(test(a, b).statistic)


def _jackknifed(values: list[float]) -> tuple[float | None, float | None, float | None]:
    """The first value with its 95 % interval from the others, each without one of equal blocks."""
    estimate, without = values[0], np.array(values[1:])
    if np.isnan(estimate):
        return None, None, None
    if len(without) < 2 or np.isnan(without).any():
        return estimate, None, None
    k = len(without)
    error = np.sqrt((k - 1) / k * np.square(without - without.mean()).sum())
    half = float(stats.t.ppf(0.975, k - 1) * error)
    return estimate, max(-1.0, estimate - half), min(1.0, estimate + half)
