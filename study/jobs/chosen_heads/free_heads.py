"""Heads that are free for a later task: those that the latest task of the model does without, by an order of its heads.

They are written into the training's folder, which a resumed training reads again.
"""

import logging
from functools import cached_property
from pathlib import Path

import numpy as np

from study.config import StudyConfig
from study.data.source import DataSource
from study.jobs.cache import SHARED, JobCache
from study.jobs.chosen_heads.order import StartOrder, refuse_idle_options, write_once
from study.jobs.measuring import MeasuringJob
from study.measures.ablation import Base
from study.measures.pruning import Pruning, PruningAmong
from study.measures.second_task import OneMask
from study.record.curves import Curve
from study.record.errors import InputError
from study.record.metrics import Task
from study.record.training.tasks import FREE_FILE, FreeHeadsRecord, TaskChain, first_chain, read_free, write_free
from study.record.units import HeadLayout, parse_mask, parse_unit, stack
from study.reuse.options import LaterTask
from study.subjects.model import ModelConfig
from study.training.training import Training

log = logging.getLogger(__name__)

ROUNDING = 1e-9
"""What a cost may be above a margin by rounding, in the unit of the score."""


class FreeHeads:
    """The heads that are free for the task of a training, and the jobs that find them.

    Attributes:
        training: the training of the later task.
        reuse: what it keeps of the earlier ones.
    """

    def __init__(self, study: StudyConfig, training: Training, cache: JobCache = SHARED) -> None:
        """Nothing is read yet; `study` says where and on which device its jobs run."""
        assert isinstance(training.reuse, LaterTask), "a model's first task frees no heads"
        self.training = training
        self.reuse = training.reuse
        self._study = study
        self._cache = cache

    @cached_property
    def start(self) -> StartOrder:
        """The order of the heads of the model that has the earlier tasks, on examples of its latest one.

        Raises:
            InputError: when there is no such model, or nothing says which examples.
        """
        model = self.training.start_model()
        if model is None:
            raise InputError(
                f"reuse={self.reuse.name} teaches a later task to a model that has one, and "
                f"{type(self.training).__name__} starts from none: a fine-tuning has training.start or training.origin"
            )
        return StartOrder(self._study, model, self._data(model), self.reuse, self.training.seed, self._cache)

    def _data(self, model: ModelConfig) -> DataSource:
        """The examples that the order is made on."""
        trained = getattr(getattr(self.training, "origin", None), "training", None)
        source = self.reuse.data or (trained and trained.train_set)
        if source is None:
            raise InputError(
                f"model '{model.name}' was not trained here, so nothing says on which examples its heads are ranked: "
                f"model.training.reuse.data=NAME chooses training data of its task"
            )
        return source

    def check(self) -> None:
        """Refuse free heads that cannot be found, before anything is computed.

        Raises:
            InputError: in words.
        """
        refuse_idle_options(self.reuse.order, "reuse")
        self.reuse.identity()  # reads the file of an order
        job = self.start.job(Base())
        if job.is_here():
            job.check()
            self.start.order.check_gates(self.start.model.gates)
            if layout := job.layout:
                self.check_heads(layout)

    def check_heads(self, layout: HeadLayout) -> None:
        """Refuse more heads than can be freed, and an order that is not one of them, by an InputError."""
        chain, number = self._chain(layout), self.reuse.number(layout)
        candidates = chain.candidates()
        if not candidates:
            raise InputError(
                f"no head of {self.start.model.name} can be freed: its latest task '{chain.latest.name}' runs with "
                f"none that is its own"
            )
        if number is not None and number > len(candidates):
            most = int(1000 * len(candidates) / len(layout)) / 1000
            raise InputError(
                f"reuse.free={self.reuse.free:g} of {len(layout)} heads is {number}, and {len(candidates)} can be "
                f"freed: those of task '{chain.holders[0].name}'. At most reuse.free={most:g}"
            )
        self.pruning(layout).check(layout)

    def words(self) -> str:
        """What is to be found, in words."""
        reuse, model, layout = self.reuse, self.start.model.name, self.start.layout()
        if reuse.free is None:
            heads = f"as many heads of {model} as cost it at most {reuse.margin:g} in its score"
        else:
            number = f"{reuse.number(layout)} of {len(layout)} heads" if layout else f"{reuse.free:g} of the heads"
            heads = f"{number} of {model}"
        return f"{reuse.fate(heads)}, {'those most needed by' if reuse.most_needed else 'by'} {self.start.words()}"

    def expected(self) -> float | None:
        """Seconds that finding them will take, of which nothing is stored; None where the model is not here yet."""
        layout = self.start.layout()
        if layout is None:
            return None
        curve = self.pruning(layout)
        measures = self.start.to_run(curve) or [Base() if self.reuse.margin is None else curve]
        cost = [self._like_cost(layout)] if self.reuse.takes_heads else []
        return self.start.seconds([*measures, *cost])

    def _like_cost(self, layout: HeadLayout) -> OneMask:
        """A measure that takes as long as that of what the free heads cost: as many heads are off, others perhaps."""
        number = self.reuse.number(layout) or 1
        return OneMask(mask=layout.key(layout.without(layout.heads[:number])))

    def write(self, folder: Path) -> None:
        """Find the heads and write them into the folder of the training; nothing where they are there.

        Raises:
            StudyError: when they cannot be found, or the folder holds another training or cannot be written.
        """
        write_once(self.training, folder / FREE_FILE, read_free, lambda file: write_free(self.record(), file))

    def record(self) -> FreeHeadsRecord:
        """The free heads, found; and what they cost the latest task on the examples of the order.

        Raises:
            InputError: when the model has not learned that task, or no head is free within the margin.
        """
        base = self.start.job(Base())
        base.run()
        _require_learned(base)
        layout = base.evaluator.layout
        curve, job = self.start.curve(self.pruning(layout), self.check_heads)
        chain, freed = self._chain(layout), self._freed(curve, job)
        latest = chain.latest
        on = parse_mask(latest.on, layout) & layout.without(map(parse_unit, freed))
        cost = self._cost(layout.key(on)) if self.reuse.takes_heads else None
        heads = f"{len(freed)} of {len(layout)} heads of {self.start.model.name}"
        log.info(
            "%s: %s%s", self.reuse.words(), self.reuse.fate(heads), "" if cost is None else self._cost_words(cost, base)
        )
        return FreeHeadsRecord(
            training=self.training.id,
            task=latest.name,
            heads=chain.heads,
            candidates=chain.candidates(),
            freed=freed,
            before=latest.on,
            on=layout.key(on),
            curve=curve.id,
            cost=cost,
        )

    def _cost_words(self, cost: float, base: MeasuringJob) -> str:
        """What the task loses by giving the heads, or gains, on the examples of the order."""
        metric, does = base.evaluator.metric, "costs" if cost >= 0 else "gains"
        amount = f"{abs(cost):.{metric.digits}f} {metric.unit}"
        return f", which {does} it {amount} on {len(base.view):,} examples of {self.start.data.name}"

    def _freed(self, curve: Curve, job: MeasuringJob) -> tuple[str, ...]:
        """The heads that go, the first to go first: as many as the share says, or as the margin allows."""
        number = self.reuse.number(job.evaluator.layout)
        if number is None:
            number = self.number_within_margin(curve, job)
        sequence = curve.sequence[::-1] if self.reuse.most_needed else curve.sequence
        return sequence[:number]

    def number_within_margin(self, curve: Curve, job: MeasuringJob) -> int:
        """The most heads at a point of the curve where the score is lower than with all by the margin at most."""
        job.run()
        layout, metric = job.evaluator.layout, job.evaluator.metric
        scores = job.evaluator.stored().scores(stack([parse_mask(key, layout) for key in curve.masks], layout))
        costs, margin = scores[0] - scores, self.reuse.margin
        assert margin is not None, "a share says how many"
        within = np.flatnonzero(costs <= margin + ROUNDING)
        number = max(curve.removed[i] for i in within)
        if not number:
            cheapest = 1 + int(np.argmin(costs[1:]))
            raise InputError(
                f"no head is free within reuse.margin={margin:g} {metric.unit}: at the points of the curve "
                f"{self.start.model.name} loses least where {curve.removed[cheapest]} heads go, "
                f"{costs[cheapest]:.{metric.digits}f} {metric.unit} on {self.start.data.name}. A larger margin, "
                f"another order, or smaller steps (reuse.steps=every) may free some"
            )
        return number

    def _cost(self, on: str) -> float:
        """What the score is lower by under a mask than with all heads, on the examples of the order."""
        job = self.start.job(OneMask(mask=on))
        job.run()
        layout = job.evaluator.layout
        full, masked = job.evaluator.stored().scores(stack([layout.full(), parse_mask(on, layout)], layout))
        return float(full - masked)

    def _chain(self, layout: HeadLayout) -> TaskChain:
        """The tasks of the model that the training starts from; one, of all its heads, where it is no model of several.

        Raises:
            InputError: when its record is of other heads.
        """
        model, heads = self.start.model, [str(head) for head in layout.heads]
        chain = model.task_chain()
        if chain is None:
            return first_chain(heads, self.reuse.earlier or model.training_name, str(model.task))
        if list(chain.heads) != heads:
            raise InputError(f"the record of tasks of {model.name} is of {len(chain.heads)} heads, not of {layout}")
        return chain

    def pruning(self, layout: HeadLayout) -> Pruning:
        """The curve along the order, of the heads that can be freed."""
        candidates = self._chain(layout).candidates()
        if len(candidates) == len(layout):
            return Pruning(order=self.start.order, steps=self.reuse.steps)
        return PruningAmong(order=self.start.order, steps=self.reuse.steps, among=list(candidates))


def _require_learned(job: MeasuringJob) -> None:
    """Refuse a model that does its task no better than the most frequent answer: nothing tells which heads it needs.

    Raises:
        InputError: for a classifier that has not learned its task.
    """
    if job.study.data.task is not Task.CLASSIFICATION:
        return
    evaluator, study = job.evaluator, job.study
    rows = evaluator.outcomes(evaluator.layout.full()[None])
    answers = np.unique(list(evaluator.examples.targets), return_counts=True)[1]
    right, usual = 100 * np.mean(rows["correct"].to_list()), 100 * answers.max() / answers.sum()
    if right <= usual:
        raise InputError(
            f"{study.model.name} has not learned its task: it is right on {right:.1f} % of {study.data.name}, and the "
            f"most frequent answer alone is on {usual:.1f} %. Nothing tells which heads it does without"
        )
