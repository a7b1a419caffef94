"""What later tasks cost earlier ones, and whether these were proved to be kept as they were."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import polars as pl

from analysis.inference.seeds import ENDS, Draws
from analysis.results.domain import IDENTITY
from analysis.second_tasks.comparisons import Comparison, Point
from analysis.second_tasks.later_trainings import EarlierTask, LaterTraining
from analysis.second_tasks.methods import Method
from analysis.second_tasks.scores import over_both
from study.record.training.tasks import KeptProof

EARLIER_TASKS = (
    dict.fromkeys(["comparison", "task", "data", "metric", "unit"], pl.String)
    | dict.fromkeys(["method", "short", "name"], pl.String)
    | {"by_heads": pl.Boolean, "at": pl.Int64, "updates": pl.Int64, "seeds": pl.Int64, "freed": pl.Float64}
    | {"heads": pl.Int64, "share": pl.Float64, "score_before": pl.Float64, "score_after": pl.Float64}
    | dict.fromkeys([f"change{end}" for end in ENDS], pl.Float64)
    | dict.fromkeys(["results", "proofs", "rows", "unlike"], pl.Int64)
    | {"largest": pl.Float64, "alpha": pl.Float64}
)

PROOFS = (
    dict.fromkeys([*IDENTITY, "task", "later_task", "method", "training_id"], pl.String)
    | {"seed": pl.Int64, "freed": pl.Int64, "masked": pl.String, "rows": pl.Int64, "unlike": pl.Int64}
    | {"contradicting": pl.Int64, "largest": pl.Float64, "verdict": pl.String}
)

KEPT, ROUNDED, FAILED = "kept", "kept but for rounding", "not kept"
"""Verdicts of a proof: no outcome differs; some do by no more than rounding does on a GPU; some differ by more."""


def earlier_table(comparison: Comparison) -> pl.DataFrame:
    """What each method costs each earlier task: a row for each point of the capacity curve; means over seeds.

    Returns:
        Columns comparison, task (the earlier one), data, metric, unit, method, short, name (as in `conf/reuse`);
        by_heads: whether the method depends on which heads are free, at: how many are, null where it does not, freed:
        their mean number, heads, share; updates, seeds; score_before, score_after: with all heads that the task had,
        and with those left to it, over the seeds that have both; change: their difference, paired, with an interval
        over examples and one over seeds; results: how many outcomes of the task are stored after a training, proofs:
        how many of them were compared row by row, rows, unlike: examples compared and unlike in all, largest: largest
        difference; alpha.
    """
    rows = [
        _row(comparison, point, members, own)
        for point, members in comparison.points.items()
        for own in _by_task(members)
    ]
    return pl.DataFrame(rows, schema=EARLIER_TASKS)


def _by_task(members: Sequence[LaterTraining]) -> Iterator[list[tuple[LaterTraining, EarlierTask]]]:
    """The earlier tasks of some trainings that were scored on the same data."""
    found: dict[tuple[str, str, str], list[tuple[LaterTraining, EarlierTask]]] = {}
    for one in members:
        for task in one.earlier:
            domain = task.after.domain
            found.setdefault((task.result.task.name, domain.data, domain.metric.name), []).append((one, task))
    yield from found.values()


def _row(
    comparison: Comparison,
    point: Point,
    members: Sequence[LaterTraining],
    own: Sequence[tuple[LaterTraining, EarlierTask]],
) -> dict[str, Any]:
    (method, updates, at), domain = point, own[0][1].after.domain
    freed = float(np.mean([one.freed for one in members]))
    pairs = [(one.record.seed, task) for one, task in own if task.change is not None]
    proofs = [task.result.proof for _, task in own if task.result.proof is not None]
    sides = [_mean(task.before.scores[0] if task.before else None for _, task in pairs)]
    sides.append(_mean(task.after.scores[0] for _, task in pairs))
    return {
        "comparison": comparison.name,
        "task": own[0][1].result.task.name,
        "data": domain.data,
        "metric": domain.metric.name,
        "unit": domain.metric.unit,
        "method": str(method),
        "short": method.short,
        "name": method.name,
        "by_heads": method.by_heads,
        "at": at,
        "updates": updates,
        "seeds": len({seed for seed, _ in pairs}),
        "freed": freed,
        "heads": comparison.heads,
        "share": freed / comparison.heads,
        "score_before": sides[0],
        "score_after": sides[1],
        **over_both("change", _changes(pairs), comparison.alpha),
        "results": len(own),
        "proofs": len(proofs),
        "rows": sum(proof.rows for proof in proofs),
        "unlike": sum(proof.unlike for proof in proofs),
        "largest": max((proof.largest for proof in proofs), default=None),
        "alpha": comparison.alpha,
    }


def _changes(pairs: Sequence[tuple[int | None, EarlierTask]]) -> dict[int | None, Draws]:
    found: dict[int | None, list[Draws]] = {}
    for seed, task in pairs:
        if task.change is not None:
            found.setdefault(seed, []).append(task.change)
    return {seed: np.mean(draws, axis=0) for seed, draws in found.items()}


def _mean(numbers: Any) -> float | None:
    known = [float(value) for value in numbers if value is not None]
    return float(np.mean(known)) if known else None


def proof_table(every: Sequence[EarlierTask]) -> pl.DataFrame:
    """Every earlier task that was compared row by row with its masked model as it was before the later task.

    Returns:
        Columns of the domain, task, later_task, method (as in `conf/reuse`), training_id, seed; freed: heads that were
        free, null where the method knows nothing of free heads; masked: setting
        of the model before, rows: examples that were compared, unlike: examples that differ in any column,
        contradicting: by more than rounding explains, null in proofs of an earlier version, largest: largest difference
        of a number; verdict: `kept` where none differs, `kept but for rounding` where none differs by more than two
        computations of one outcome may, else `not kept`.
    """
    rows = []
    for one in every:
        proof, latest = one.result.proof, one.result.latest
        if proof is not None:
            rows.append(
                {
                    **one.after.domain.identity,
                    "task": one.result.task.name,
                    "later_task": latest.name,
                    "method": latest.method,
                    "training_id": latest.training,
                    "seed": latest.seed,
                    "freed": len(latest.freed or ()) if Method.of(latest.method, latest.options).by_heads else None,
                    "masked": proof.masked,
                    "rows": proof.rows,
                    "unlike": proof.unlike,
                    "contradicting": proof.contradicting,
                    "largest": proof.largest,
                    "verdict": verdict(proof, one.after.domain.setting.tolerance),
                }
            )
    return pl.DataFrame(rows, schema=PROOFS)


def verdict(proof: KeptProof, tolerance: float) -> str:
    """Whether an earlier task is what it was, as the job that compared it has found.

    Args:
        proof: what it found.
        tolerance: what two computations of an outcome may differ by; decides where a proof of an earlier version does
            not say how many examples differ by more.
    """
    if not proof.unlike:
        return KEPT
    failed = proof.largest > tolerance if proof.contradicting is None else proof.contradicting > 0
    return FAILED if failed else ROUNDED
