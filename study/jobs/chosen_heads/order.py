"""An order of the heads of the model that a training starts from, made by ordinary jobs.

The rows that the order needs, and its pruning curve, are stored in the results folder as for any model; a job that was
killed goes on from them.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import fields, replace
from pathlib import Path
from typing import Protocol

from study.config import StudyConfig
from study.data.source import DataSource
from study.engine.precision import Precision
from study.jobs.cache import SHARED, JobCache
from study.jobs.measuring import MeasuringJob
from study.measures.ablation import Base
from study.measures.measure import Measure
from study.measures.orders.order import Order
from study.measures.orders.random import RandomOrder
from study.measures.pruning import Pruning
from study.record.curves import Curve
from study.record.errors import InputError
from study.record.metrics import Scoring
from study.record.units import HeadLayout
from study.replacement.options import Replacement
from study.subjects.model import ModelConfig
from study.training.folder import training_folder
from study.training.training import Training


class OrderChoice(Protocol):
    """The options by which heads are chosen.

    Attributes:
        order: the order, an `Order`.
        seed: seed of a random order; None: that of the training.
        limit: most examples that the order is made on; None: all.
    """

    order: Order
    seed: int | None
    limit: int | None


class StartOrder:
    """An order of the heads of one model on some of its data, and the jobs that make it.

    Attributes:
        model: the model.
        data: the examples that the order is made on.
        order: the order; a random one is that of one seed.
    """

    def __init__(
        self,
        study: StudyConfig,
        model: ModelConfig,
        data: DataSource,
        choice: OrderChoice,
        seed: int,
        cache: JobCache = SHARED,
    ) -> None:
        """Nothing is read yet.

        Args:
            study: says where and on which device jobs run.
            model: the model that a training starts from.
            data: the examples that the order is made on, or the first of them, as `choice` says.
            choice: the options by which heads are chosen.
            seed: seed of the training.
            cache: what its jobs share with others.
        """
        order = choice.order
        if isinstance(order, RandomOrder):
            order = replace(order, seeds=1, first_seed=seed if choice.seed is None else choice.seed)
        self.model, self.order = model, order
        self.data = data.first(choice.limit)
        self._study, self._cache = study, cache

    def job(self, measure: Measure) -> MeasuringJob:
        """A job that measures the model on these examples."""
        return start_job(self._study, self.model, self.data, measure, self._cache)

    def layout(self) -> HeadLayout | None:
        """The heads of the model; None where model or data are not here."""
        job = self.job(Base())
        return (job.layout or job.subject().layout) if job.is_here() else None

    def words(self) -> str:
        """The order, and the examples that it is made on, if any, in words."""
        if not self.order.takes_examples:
            return self.order.name
        most = "all" if self.data.limit is None else f"at most {self.data.limit:,}"
        return f"{self.order.name} on {most} examples of data '{self.data.name}'"

    def curve(self, pruning: Pruning, check: Callable[[HeadLayout], None]) -> tuple[Curve, MeasuringJob]:
        """The curve along the order, and the job that has it; stored, where rows had to be computed for the order.

        Args:
            pruning: the measure of the curve.
            check: refuses heads that cannot be chosen, before anything is computed.
        """
        job = self.job(pruning)
        job.make_ready()
        check(job.evaluator.layout)
        pruning.check(job.evaluator.layout)
        if not (request := pruning.request(job.evaluator)).curves:
            for needed in self._prerequisites(job):
                self.job(needed).run()
            job.run()
            request = pruning.request(job.evaluator)
        return request.curves[0], job

    def to_run(self, pruning: Pruning) -> list[Measure]:
        """The measures that `curve` will run; the model and the examples are here."""
        job = self.job(pruning)
        if pruning.request(job.evaluator).curves:
            return []
        return [*self._prerequisites(job), pruning]

    def seconds(self, measures: Sequence[Measure]) -> float:
        """Seconds that measures will take; some blocks are computed, and nothing is stored, as for any plan."""
        return float(sum(self.job(measure).plan().get("expected", 0.0) for measure in measures))

    def _prerequisites(self, job: MeasuringJob) -> Iterator[Measure]:
        """The measures that must run before the order is known, as long as it is not."""
        for measure in self.order.prerequisites():
            if not job.study.measure.request(job.evaluator).needs:
                return
            yield measure


def refuse_idle_options(order: Order, part: str) -> None:
    """Refuse options of an order that have no effect where heads are chosen by it once.

    Args:
        order: the order.
        part: the options of the training that it is among, `gates` or `reuse`.

    Raises:
        InputError: says which option is meant instead.
    """
    idle = {
        "data": f"{part}.data=NAME chooses the examples that the order is made on",
        "seeds": f"a training has one mask: {part}.seed=N chooses it",
        "first_seed": f"{part}.seed=N chooses the random order",
    }
    for option in fields(order):
        if option.name in idle and getattr(order, option.name) != option.default:
            raise InputError(f"{part}.order.{option.name} has no effect here: {idle[option.name]}")


def write_once(training: Training, file: Path, read: Callable[[Path], object], write: Callable[[Path], None]) -> None:
    """Write what was chosen into the folder of a training, held meanwhile; what is there already is read as a check.

    Raises:
        StudyError: when the folder holds another training or cannot be written, or what is there is not whole.
    """
    with training_folder(file.parent, training.identity()):
        if file.is_file():
            read(file)
        else:
            write(file)


def start_job(
    study: StudyConfig, model: ModelConfig, data: DataSource, measure: Measure, cache: JobCache = SHARED
) -> MeasuringJob:
    """A job on the model that a training starts from, as the study would have it of any model; it chooses heads."""
    plain = {"replacement": Replacement(), "metric": Scoring(), "precision": Precision.float32, "shard": 0, "shards": 1}
    return MeasuringJob(replace(study, model=model, data=data, measure=measure, **plain), cache, for_training=True)


def start_layout(study: StudyConfig, training: Training) -> HeadLayout | None:
    """The heads of the model that a training starts from; None where it is not here, or is no model of the task yet."""
    with suppress(InputError):
        if (model := training.start_model()) is not None:
            job = start_job(study, model, training.train_set, Base())
            return (job.layout or job.subject().layout) if job.is_here() else None
    return None
