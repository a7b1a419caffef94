"""Chains: the tasks of models that were taught three or more, in order, and what became of each."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from analysis.inference.seeds import ENDS, Draws
from analysis.second_tasks.later_trainings import EarlierTask, LaterTraining, TaskOutcomes
from analysis.second_tasks.methods import Method
from analysis.second_tasks.scores import over_both
from study.record.training.tasks import TaskChain, TaskRecord

FEWEST_TASKS = 3
"""Tasks from which on a model is shown as a chain; of two the comparisons say all."""

CHAINS = (
    {"chain": pl.String, "place": pl.Int64}
    | dict.fromkeys(["task", "data", "metric", "unit", "method"], pl.String)
    | dict.fromkeys(["taught", "on", "heads", "seeds"], pl.Int64)
    | {"score_taught": pl.Float64, "score_now": pl.Float64}
    | dict.fromkeys([f"change{end}" for end in ENDS], pl.Float64)
    | {"unlike": pl.Int64, "alpha": pl.Float64}
)


@dataclass(frozen=True, eq=False)
class TaskHistory:
    """One task of one chain, on some data.

    Attributes:
        place: its place in the chain, from 1.
        chain: the chain.
        seed: seed of the latest training.
        first: its outcomes when it was the latest task; None where they are not stored on the same examples.
        now: its outcomes at the end of the chain.
        unlike: examples that differed from the masked model in any proof after one of the trainings; None: no proof.
    """

    place: int
    chain: TaskChain
    seed: int | None
    first: TaskOutcomes | None
    now: TaskOutcomes
    unlike: int | None

    @property
    def change(self) -> Draws | None:
        """Its score now less that when it was the latest task."""
        return None if self.first is None else self.now.scores - self.first.scores


def chain_table(trainings: Sequence[LaterTraining], earlier: Sequence[EarlierTask], alpha: float) -> pl.DataFrame:
    """Every task of every chain of three or more, in order; chains that differ by seed are averaged.

    Returns:
        Columns chain (the tasks, with how they were taught), place (from 1), task, data, metric, unit, method; taught:
        heads that it was taught to, on: heads that it runs with at the end, heads: of the model; seeds; score_taught:
        when it was the latest task, with the heads that it had, score_now: at the end of the chain; change: their
        difference, paired, with an interval over examples and one over seeds; unlike: examples that differed in
        proofs that it was kept, null where there is none; alpha.
    """
    groups: dict[tuple[Any, ...], list[TaskHistory]] = {}
    for one in _histories(trainings, earlier):
        domain = one.now.domain
        groups.setdefault((_name(one.chain), one.place, domain.data, domain.metric.name), []).append(one)
    rows = [_row(name, members, alpha) for (name, *_), members in sorted(groups.items(), key=lambda group: group[0])]
    return pl.DataFrame(rows, schema=CHAINS)


def _name(chain: TaskChain) -> str:
    """`mnli; sst2: free heads by importance, 29 of 72; cola: ...`: the tasks in order, and how each was taught."""
    return "; ".join([chain.tasks[0].name, *map(_told, chain.tasks[1:])])


def _told(task: TaskRecord) -> str:
    """A later task and how it was taught; by how many free heads, where its method knows of any."""
    method = Method.of(task.method, task.options)
    return f"{task.name}: {method}" + (f", {len(task.freed or ())} heads" if method.by_heads else "")


def _histories(trainings: Sequence[LaterTraining], earlier: Sequence[EarlierTask]) -> Iterator[TaskHistory]:
    ended = {task.training for one in trainings if one.chain for task in one.chain.tasks[:-1]}
    chains = {one.id: (one.chain, one.record.seed) for one in trainings if one.chain and one.id not in ended}
    for id_, (chain, seed) in chains.items():
        if len(chain.tasks) < FEWEST_TASKS:
            continue
        for place, task in enumerate(chain.tasks, 1):
            last = place == len(chain.tasks)
            now = _outcomes(trainings, id_) if last else [x.after for x in _after(earlier, id_, task.name)]
            first = _outcomes(trainings, task.training) if place > 1 else _starts(earlier, chain)
            after = [one.training for one in chain.tasks[place:]]
            proofs = [one for training in after for one in _after(earlier, training, task.name)]
            for own in now:
                taught = next((one for one in first if one.examples == own.examples), None)
                unlike = [x.result.proof.unlike for x in proofs if x.result.proof and x.after.examples == own.examples]
                yield TaskHistory(place, chain, seed, taught, own, sum(unlike) if unlike else None)


def _outcomes(trainings: Iterable[LaterTraining], training: str) -> list[TaskOutcomes]:
    return [one.outcomes for one in trainings if one.id == training]


def _after(earlier: Iterable[EarlierTask], training: str, task: str) -> list[EarlierTask]:
    """An earlier task after a training."""
    return [one for one in earlier if one.result.latest.training == training and one.result.task.name == task]


def _starts(earlier: Iterable[EarlierTask], chain: TaskChain) -> list[TaskOutcomes]:
    """The first task of a chain, before the second was taught."""
    first, second = chain.tasks[:2]
    return [one.before for one in _after(earlier, second.training, first.name) if one.before is not None]


def _row(name: str, members: Sequence[TaskHistory], alpha: float) -> dict[str, Any]:
    first = members[0]
    task, domain = first.chain.tasks[first.place - 1], first.now.domain
    known = [one for one in members if one.change is not None]
    taught = [float(one.first.scores[0]) for one in known if one.first is not None]
    unlike = [one.unlike for one in members if one.unlike is not None]
    changes = {} if first.place == len(first.chain.tasks) else {one.seed: one.change for one in known}
    return {
        "chain": name,
        "place": first.place,
        "task": task.name,
        "data": domain.data,
        "metric": domain.metric.name,
        "unit": domain.metric.unit,
        "method": str(Method.of(task.method, task.options)) if task.method else "",
        "taught": len(task.taught),
        "on": task.on.count("1"),
        "heads": len(first.chain.heads),
        "seeds": len(members),
        "score_taught": float(np.mean(taught)) if taught else None,
        "score_now": float(np.mean([one.now.scores[0] for one in members])),
        **over_both("change", {seed: own for seed, own in changes.items() if own is not None}, alpha),
        "unlike": sum(unlike) if unlike else None,
        "alpha": alpha,
    }
