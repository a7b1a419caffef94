"""Options of every kind of training: the contract of `conf/training`; `TrainedModel.train` runs it."""

from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

from omegaconf import MISSING

from study.data.slice import Slice
from study.data.source import DataSource
from study.gates.options import Gates
from study.record.errors import InputError
from study.record.examples import Examples
from study.record.files import short_hash
from study.record.metrics import Task
from study.record.training.history import read_history
from study.reuse.options import Reuse
from study.subjects.model import ModelConfig

SCHEMA = 1
"""Rises when the same settings would give other weights."""

OUTSIDE_IDENTITY = (
    *("task", "dev", "folder", "keep", "small", "evaluate_every", "record_every", "save_every", "threads", "python"),
    *("gates", "reuse"),  # they say themselves what depends on them
    "held_out",  # the examples say it
    *("start", "origin", "revision"),  # known by the digests of its files, or by how it is trained
)
"""Options on which no weight depends, or only by the last bits."""


@dataclass(kw_only=True)
class Training:
    """How a model is made; the object holds all that its weights depend on besides the machine.

    Attributes:
        task: what is learnt.
        train: data to learn from; `limit` takes the first examples only.
        dev: data that is evaluated on as it goes; no weight depends on it.
        held_out: share of the training data that is evaluated on in place of `dev`, and not learnt from; whole groups,
            see `study.data.slice`. Trainings are then compared and chosen on no test data. 0: none.
        folder: folder of the checkpoints; when empty, one in the cache by the model's name and the training's hash.
        epochs: passes over the training data.
        keep: after how many epochs a checkpoint is kept, besides the last; 0 is before the first step.
        seed: seed of all that is random.
        small: done within a minute or two, so that any job that needs the model may train it first.
        gates: what multiplies heads at each step: nothing, gates that are learned, or given ones.
        reuse: what is kept of earlier tasks of the model, and to which of its parts a later one is taught.
    """

    task: Task = MISSING
    train: DataSource = MISSING
    dev: DataSource = MISSING
    held_out: float = 0.0
    folder: str = ""
    epochs: int = MISSING
    keep: list[float] = field(default_factory=list)
    seed: int = 0
    small: bool = False
    gates: Gates = field(default_factory=Gates)
    reuse: Reuse = field(default_factory=Reuse)

    teaches_later_tasks: ClassVar[bool] = False
    """Whether it can teach a later task to a model that has one."""

    def tasks(self) -> tuple[Task, ...]:
        """The tasks whose data it can learn from."""
        return (self.task,)

    @property
    def train_set(self) -> DataSource:
        """What is learnt from: the training data without what is held out of it."""
        return self._part(held_out=False, limit=self.train.limit) if self.held_out else self.train

    @property
    def dev_set(self) -> DataSource:
        """What is evaluated on as it goes: what is held out of the training data, else the dev data."""
        return self._part(held_out=True, limit=self.dev.limit) if self.held_out else self.dev

    def _part(self, *, held_out: bool, limit: int | None) -> Slice:
        return Slice(of=self.train, share=self.held_out, held_out=held_out, limit=limit)

    @property
    def kept_epochs(self) -> list[float]:
        """The epochs after which a checkpoint is kept, in order; the last ends the training."""
        return sorted({*map(float, self.keep), float(self.epochs)})

    def identity(self) -> dict[str, Any]:
        """All that determines the weights, as JSON values; reads no example."""
        own = {"gates": self.gates.identity(), "reuse": self.reuse.identity()}
        return {
            "schema": SCHEMA,
            "kind": type(self).__name__,
            **{name: value for name, value in vars(self).items() if name not in OUTSIDE_IDENTITY},
            "train": source_identity(self.train_set),
            **{name: identity for name, identity in own.items() if identity},
        }

    def other_seeds(self) -> dict[str, int]:
        """Seeds of a part of what is random, by name, where they are given: axes of their own."""
        return {}

    def task_names(self) -> list[str]:
        """The names of the tasks that a model has at the end to which a later task is taught, in their order."""
        raise NotImplementedError

    def start_model(self) -> ModelConfig | None:
        """The model before the first step, on which an order of its heads can be made; None where it starts from none.

        Raises:
            InputError: when that model cannot do the task yet.
        """

    def initial(self) -> str:
        """Short digest of all that decides the weights of the heads before the first step.

        Head i of two trainings with the same digest began as the same head, so the two may be compared head by head.
        """
        raise NotImplementedError

    @property
    def id(self) -> str:
        """Twelve hexadecimal digits of the identity's sha256. Which checkpoints are kept changes none of them."""
        return short_hash(self.identity())

    def missing(self) -> list[str]:
        """What must be downloaded before the training can start, in words."""
        return [need for source in self._sources for need in source.missing()]

    def fetch(self) -> None:
        """Download what `missing` names."""
        for source in self._sources:
            if source.missing():
                source.fetch()

    @property
    def _sources(self) -> list[DataSource]:
        """The data that it reads; that of an order of heads is read by the jobs that make it."""
        order = self._order_data
        return [*self._own_sources, *([] if order is None else [order])]

    @property
    def _own_sources(self) -> list[DataSource]:
        """The data that it learns from and is evaluated on."""
        return [self.train_set, *([] if self.held_out else [self.dev])]

    @property
    def _order_data(self) -> DataSource | None:
        """The data that an order of heads is made on, where it is given."""
        return getattr(self.reuse if self.reuse.has_task else self.gates, "data", None)

    def check(self) -> None:
        """Refuse a training that cannot work, before anything is computed.

        Raises:
            InputError: in words.
        """
        if self.epochs < 1:
            raise InputError(f"training.epochs={self.epochs}: expected 1 or more")
        if outside := [f"{epoch:g}" for epoch in self.keep if not 0 <= epoch <= self.epochs]:
            within = ",".join(f"{epoch:g}" for epoch in self.keep if 0 <= epoch <= self.epochs)
            raise InputError(
                f"training.keep has {', '.join(outside)}, and the training ends after epoch {self.epochs}: "
                f"model.training.keep=[{within}] keeps those within it"
            )
        if not 0 <= self.held_out < 1:
            raise InputError(f"training.held_out={self.held_out:g}: expected a share of the training data below 1")
        self.gates.check()
        self.reuse.check()
        if self.reuse.has_task and not self.teaches_later_tasks:
            raise InputError(
                f"reuse={self.reuse.name} is for a classifier, a regressor or a translator that has a task already: "
                "this training starts from no such model"
            )
        for source in self._own_sources:
            _require_task(source, self.tasks(), "the training")
        if (order := self._order_data) is not None and (known := self._order_tasks()):
            _require_task(order, known, "the model whose heads are ranked")

    def _order_tasks(self) -> tuple[Task, ...]:
        """The tasks of the model whose heads have an order; none where it is not here, and its job looks again."""
        if not self.reuse.has_task:
            return self.tasks()
        with suppress(InputError):
            start = self.start_model()
            return start.tasks() if start else ()
        return ()

    def checkpoint(self, folder: Path, epoch: float) -> Path:
        """Where the checkpoint of an epoch is, or will be."""
        raise NotImplementedError

    def gates_file(self, folder: Path, epoch: float) -> Path:
        """Where the record of the gates at a checkpoint is, or will be, see `study.record.training.gates`."""
        raise NotImplementedError

    def tasks_file(self, folder: Path, epoch: float) -> Path:
        """Where the record of the tasks of a checkpoint is, or will be, see `study.record.training.tasks`."""
        raise NotImplementedError

    def lacking(self, folder: Path) -> list[float]:
        """The epochs whose checkpoint is not there yet."""
        return [epoch for epoch in self.kept_epochs if not self.checkpoint(folder, epoch).exists()]

    def epochs_done(self, folder: Path) -> float:
        """How far the training in a folder is, by its history; all of it once the last checkpoint is there."""
        if not self.lacking(folder):
            return float(self.epochs)
        return max((record.epoch for record in read_history(folder)), default=0.0)


def _require_task(source: DataSource, known: tuple[Task, ...], what: str) -> None:
    """Refuse data of another task by an InputError."""
    if source.task not in known:
        raise InputError(f"{what} is of {' or '.join(known)}, data '{source.name}' is for {source.task}")


def source_identity(source: DataSource) -> dict[str, Any]:
    """All that determines the examples that a training takes from a data set, as JSON values."""
    return {**source.identity(), "limit": source.limit}


def limited(source: DataSource) -> Examples:
    """The examples of a data set, the first ones only where it has a limit.

    Raises:
        InputError: when there are none, or they have weights.
    """
    examples = source.examples()
    if examples.weights is not None:
        raise InputError(f"data '{source.name}' has weights, but every example counts alike in a training")
    taken = examples.take(range(min(source.limit or len(examples), len(examples))))
    if not len(taken):
        raise InputError(f"data '{source.name}' is empty: there is nothing to train or evaluate on")
    return taken
