"""Heads that a training is given: those that an order of the model that it starts from leaves, made by ordinary jobs.

The rows that the order needs, and its pruning curve, are stored in the results folder as for any model; a job that was
killed goes on from them. The heads are then written into the training's folder, which a resumed training reads again.
"""

import logging
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import fields, replace
from functools import cached_property
from pathlib import Path

from study.config import StudyConfig
from study.data.source import DataSource
from study.engine.precision import Precision
from study.gates.options import GivenMask
from study.jobs.cache import SHARED, JobCache
from study.jobs.measuring import MeasuringJob
from study.measures.ablation import Base
from study.measures.measure import Measure
from study.measures.orders.order import Mask, Order
from study.measures.orders.random import RandomOrder
from study.measures.pruning import Pruning
from study.record.curves import Curve
from study.record.errors import InputError
from study.record.metrics import Scoring
from study.record.training.gates import GATES_FILE, GatesRecord, kept_mask, read_gates, write_gates
from study.record.units import Head, HeadLayout, Unit, parse_unit
from study.replacement.options import Replacement
from study.subjects.model import ModelConfig
from study.training.folder import training_folder
from study.training.training import Training

log = logging.getLogger(__name__)

IDLE = {
    "data": "gates.data=NAME chooses the examples that the order is made on",
    "seeds": "a training has one mask: gates.seed=N chooses it",
    "first_seed": "gates.seed=N chooses the random order",
}
"""Options of orders that have no effect where one mask is made, and why."""


class GivenHeads:
    """The heads that a training is to keep, and the jobs that find them.

    Attributes:
        training: the training, whose gates are given.
        gates: its gates.
    """

    def __init__(self, study: StudyConfig, training: Training, cache: JobCache = SHARED) -> None:
        """Nothing is read yet; `study` says where and on which device its jobs run."""
        assert isinstance(training.gates, GivenMask), "learned gates find heads themselves"
        self.training = training
        self.gates = training.gates
        self._study = study
        self._cache = cache

    @cached_property
    def model(self) -> ModelConfig:
        """The model on which the order is made.

        Raises:
            InputError: when the training starts from none, or from one that cannot do the task.
        """
        model = self.training.start_model()
        if model is None:
            raise InputError(
                f"gates=kept keeps heads of the model that a training starts from, and {type(self.training).__name__} "
                f"starts from none: a fine-tuning has training.start or training.origin"
            )
        return model

    def check(self) -> None:
        """Refuse an order that cannot be made, before anything is computed.

        Raises:
            InputError: in words.
        """
        for option in fields(self.gates.order):
            if option.name in IDLE and getattr(self.gates.order, option.name) != option.default:
                raise InputError(f"gates.order.{option.name} has no effect here: {IDLE[option.name]}")
        self.gates.identity()  # reads the file of an order
        job = self._job(self._pruning if self.gates.is_counted else Base())
        if job.is_here():
            job.check()
            if layout := job.layout:
                self.check_heads(layout)

    def check_heads(self, layout: HeadLayout) -> None:
        """Refuse what cannot be kept of these heads, and an order that is not one of them, by an InputError."""
        self.gates.check_heads(layout)
        if self.gates.is_counted:
            self._pruning.check(layout)
        elif learned := self.gates.order.learned():
            kept_mask(learned, layout)

    def write(self, folder: Path) -> None:
        """Find the heads and write them into the folder of the training; nothing where they are there.

        Raises:
            StudyError: when the order cannot be made, or the folder holds another training or cannot be written.
        """
        with training_folder(folder, self.training.identity()):
            if (folder / GATES_FILE).is_file():
                read_gates(folder / GATES_FILE)
            else:
                write_gates(self.record(), folder / GATES_FILE)

    def record(self) -> GatesRecord:
        """The heads that stay, found; and the curve by which they were."""
        mask, layout, made = self._mask()
        stay = int(mask[: len(layout)].sum())
        log.info("%s: %d of %d heads of %s stay", self.gates.words(), stay, len(layout), self.model.name)
        return GatesRecord(
            method=self.gates.name,
            options={**self.gates.identity(), **made},
            training=self.training.id,
            step=0,
            heads=tuple(map(str, layout.heads)),
            kept=layout.key(mask),
        )

    def _mask(self) -> tuple[Mask, HeadLayout, dict[str, str]]:
        """The mask, the heads of the model, and by what it was made."""
        learned = None if self.gates.is_counted else self.gates.order.learned()
        if learned is None:
            curve, layout = self.curve()
            return layout.without(self.removed(curve, layout)), layout, {"curve": curve.id}
        job = self._job(Base())
        job.make_ready()
        layout = job.layout or job.subject().layout
        log.info(
            "the gates that chose these heads were learned in %d updates: the heads are trained for as many as this "
            "training has besides",
            learned.step,
        )
        return kept_mask(learned, layout), layout, {"learned_by": learned.training}

    def curve(self) -> tuple[Curve, HeadLayout]:
        """The curve along the order, and the heads of the model; stored, where rows had to be computed for it."""
        job = self._job(self._pruning)
        job.make_ready()
        evaluator, measure = job.evaluator, job.study.measure
        self.check_heads(evaluator.layout)
        if not (request := measure.request(evaluator)).curves:
            for needed in self._prerequisites(job):
                self._job(needed).run()
            job.run()
            request = measure.request(evaluator)
        return request.curves[0], evaluator.layout

    def removed(self, curve: Curve, layout: HeadLayout) -> list[Unit]:
        """The heads that do not stay: the first ones of the order, of each kind where numbers are given by kind."""
        sequence = [parse_unit(address) for address in curve.sequence]
        if self.gates.keep is not None:
            return sequence[: len(layout) - self.gates.keep]
        found: list[Unit] = []
        for kind, number in self.gates.keep_of.given().items():
            of_kind = [unit for unit in sequence if isinstance(unit, Head) and unit.kind is kind]
            found += of_kind[: len(of_kind) - number]
        return found

    def _prerequisites(self, job: MeasuringJob) -> Iterator[Measure]:
        """The measures that must run before the order is known, as long as it is not."""
        for measure in self._order.prerequisites():
            if not job.study.measure.request(job.evaluator).needs:
                return
            yield measure

    @property
    def _order(self) -> Order:
        order = self.gates.order
        if isinstance(order, RandomOrder):
            seed = self.training.seed if self.gates.seed is None else self.gates.seed
            return replace(order, seeds=1, first_seed=seed)
        return order

    @property
    def _pruning(self) -> Pruning:
        kinds = list(self.gates.keep_of.given())
        return Pruning(order=self._order, steps=self.gates.steps, kinds=kinds)

    @property
    def _data(self) -> DataSource:
        """The examples that the order is made on: of the training data, unless others are named."""
        source = self.gates.data or self.training.train_set
        return replace(source, limit=self.gates.limit_on(source))

    def _job(self, measure: Measure) -> MeasuringJob:
        return start_job(self._study, self.model, self._data, measure, self._cache)


def start_job(
    study: StudyConfig, model: ModelConfig, data: DataSource, measure: Measure, cache: JobCache = SHARED
) -> MeasuringJob:
    """A job on the model that a training starts from, as the study would have it of any model."""
    plain = {"replacement": Replacement(), "metric": Scoring(), "precision": Precision.float32, "shard": 0, "shards": 1}
    return MeasuringJob(replace(study, model=model, data=data, measure=measure, **plain), cache)


def start_layout(study: StudyConfig, training: Training) -> HeadLayout | None:
    """The heads of the model that a training starts from; None where it is not here, or is no model of the task yet."""
    with suppress(InputError):
        if (model := training.start_model()) is not None:
            job = start_job(study, model, training.train_set, Base())
            return (job.layout or job.subject().layout) if job.is_here() else None
    return None
