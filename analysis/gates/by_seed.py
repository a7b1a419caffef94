"""Means over trainings that differ by seed, and differences of methods paired by seed."""

from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Any

import numpy as np
import polars as pl

from analysis.gates.comparisons import Comparison
from analysis.gates.kept_heads import KeptHeads, Method
from analysis.inference.seeds import Draws, over_examples, over_seeds

DIFFERENCES = (
    dict.fromkeys(["comparison", "metric", "unit", "method_a", "method_b", "at", "by_kind"], pl.String)
    | {"updates": pl.Int64, "seeds": pl.Int64, "which": pl.String}
    | dict.fromkeys(["difference", "deviation", "low", "high", "seeds_low", "seeds_high", "alpha"], pl.Float64)
)


def seed_means(members: Sequence[KeptHeads]) -> dict[int | None, Draws]:
    """The scores of each seed: where a seed has several trainings, such as several random masks, their mean."""
    found: dict[int | None, list[Draws]] = {}
    for one in members:
        found.setdefault(one.seed, []).append(one.scores)
    return {seed: np.mean(draws, axis=0) for seed, draws in found.items()}


def seed_differences(comparison: Comparison) -> pl.DataFrame:
    """Every two methods, seed by seed, where both keep as many heads of each kind after as many updates.

    Returns:
        Columns comparison, metric, unit, method_a, method_b; at: the lambda of the method that has one, or the number
        of heads; by_kind: the heads that are kept of each kind, null where they differ between seeds; updates, seeds,
        which (the seeds); difference: the mean over seeds of the score of a less that of b; deviation: its standard
        deviation over seeds, null of one; low, high: interval over examples, the seeds held; seeds_low, seeds_high:
        interval over seeds, the examples held, null of fewer than five; not corrected for the number of rows.
    """
    rows = []
    for (a, own), (b, others) in combinations(comparison.lines.items(), 2):
        if a[1] == b[1] and not a[0].is_reference:
            rows += [_row(comparison, (a[0], b[0]), at, pairs) for at, pairs in _pairs(comparison, own, others).items()]
    return pl.DataFrame(rows, schema=DIFFERENCES)


Pairs = dict[int | None, tuple[list[KeptHeads], list[KeptHeads]]]


def _pairs(comparison: Comparison, own: Sequence[KeptHeads], others: Sequence[KeptHeads]) -> Mapping[str, Pairs]:
    """The trainings of two methods that keep as many heads of each kind, by lambda or number of heads, and by seed."""
    found: dict[str, Pairs] = {}
    for a in own:
        for b in others:
            if a.seed == b.seed and a.by_kind == b.by_kind:
                at = comparison.amount(b if a.penalty is None else a)
                sides = found.setdefault(at, {}).setdefault(a.seed, ([], []))
                for side, one in zip(sides, (a, b), strict=True):
                    side += [one] if one not in side else []
    return found


def _row(comparison: Comparison, methods: tuple[Method, Method], at: str, pairs: Pairs) -> dict[str, Any]:
    draws = [
        np.mean([one.scores for one in a], axis=0) - np.mean([one.scores for one in b], axis=0)
        for a, b in pairs.values()
    ]
    first = next(iter(pairs.values()))[0][0]
    metric, alpha = first.domain.metric, first.inference.alpha
    mean, single = np.mean(draws, axis=0), [float(own[0]) for own in draws]
    kinds = {comparison.by_kind(one) for a, _ in pairs.values() for one in a}
    (low, high), (seeds_low, seeds_high) = over_examples(mean, alpha), over_seeds(single, alpha)
    return {
        "comparison": comparison.name,
        "metric": metric.name,
        "unit": metric.unit,
        **dict(zip(("method_a", "method_b"), map(str, methods), strict=True)),
        "at": at,
        "by_kind": kinds.pop() if len(kinds) == 1 else None,
        "updates": first.updates,
        "seeds": len(pairs),
        "which": ", ".join(map(str, pairs)),
        "difference": float(mean[0]),
        "deviation": float(np.std(single, ddof=1)) if len(single) > 1 else None,
        **{"low": low, "high": high, "seeds_low": seeds_low, "seeds_high": seeds_high, "alpha": alpha},
    }
