"""Models that the project trains, as `conf/model` entries: their checkpoints are subjects like any other."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from omegaconf import MISSING

from study.gates.options import GivenMask
from study.record.errors import InputError
from study.record.factors import NO_GATES, Factors
from study.record.files import cache_folder
from study.record.metrics import Task
from study.record.training.gates import GatesRecord, read_gates
from study.record.training.history import Record, read_history
from study.record.training.tasks import TaskChain, read_tasks
from study.subjects.fairseq.folder import CHECKPOINTS, FairseqConfig
from study.subjects.huggingface.classifier_folder import RegressorConfig
from study.subjects.huggingface.decoder_folder import DecoderConfig
from study.subjects.model import ExpectedScore
from study.subjects.tasks.config import ClassifierOfTasks
from study.training.classifier_options import ClassifierTraining
from study.training.decoder_options import DecoderTraining
from study.training.fairseq.log import LOG_FILE, best_step
from study.training.fairseq.options import TranslationTraining
from study.training.folder import IDENTITY_FILE, require_same
from study.training.training import Training
from study.training.translator.options import TranslatorTuning


class TrainedModel:
    """What models trained here have in common. Without `epoch` it is the model at the end of the training.

    Attributes:
        name: name of the training, with seed and epoch where it is one of several checkpoints.
        epoch: epoch of the checkpoint.
        training: options of its training.
        training_name: name without seed and epoch.
    """

    name: str
    epoch: float | None
    training: Training
    training_name: str
    expected: dict[str, ExpectedScore]

    def __post_init__(self) -> None:
        self.training_name = self.name
        if self.epoch is not None:
            checkpoint = f"-seed{self.training.seed}-epoch{self.epoch:g}"
            self.training_name = self.name.removesuffix(checkpoint)  # a copy is named already
            self.name = self.training_name + checkpoint
            if self.epoch < self.training.epochs:
                self.expected = {}  # the scores of the trained model

    def factors(self, data: str, precision: str) -> Factors:
        """See `ModelConfig.factors`: the end of a training is its last epoch."""
        training = self.training
        place = Factors(self.training_name, data, precision, training.seed, self._epoch(), training.initial())
        words = {"gates": training.gates.words() or None, "reuse": training.reuse.words() or None}
        return replace(place, **words, taught=self._taught(), **training.other_seeds())

    def _taught(self) -> str | None:
        """Which of its tasks it does; None where it has but one."""
        if not self.training.reuse.has_task:
            return None
        return getattr(self, "task_name", "") or self.training.task_names()[-1]

    def has_tasks(self) -> bool:
        """Whether it was taught a later task."""
        return self.training.reuse.has_task

    def task_chain(self) -> TaskChain | None:
        """See `ModelConfig.task_chain`."""
        if not self.has_tasks() or self.training.missing() or self._lacks():
            return None
        self.trained_checkpoint()
        return read_tasks(self.training.tasks_file(self.training_folder(), self._epoch()))

    def idle(self) -> dict[str, str]:
        """See `ModelConfig.idle`."""
        said = "the training says it: model.training.seed"
        one = {} if self.has_tasks() else {"task_name": "the model has one task"}
        return {"seed": said, "initial": "the training knows what it starts from", **one}

    def training_identity(self) -> dict[str, Any]:
        """All that determines the weights of this checkpoint, as JSON values; it need not be there."""
        return {"training": self.training.id, "epoch": self._epoch()}

    def training_folder(self) -> Path:
        """Where its checkpoints are, or will be."""
        training = self.training
        given = Path(training.folder).expanduser() if training.folder else None
        return given or cache_folder() / f"{self.training_name}-{training.id}"

    def missing(self) -> list[str]:
        """What the training needs; and a small training itself, which whoever needs the model may do."""
        needed = self.training.missing()
        if needed and self.training.folder and not self._lacks():
            return []
        small = self._is_small and (needed or self._lacks())
        return [*needed, f"{self.training_name} (trained here, within two minutes)"] if small else needed

    def fetch(self) -> None:
        """Download what the training needs; do a small training."""
        missing = self.missing()
        self.training.fetch()
        if missing and self._is_small:
            self.training.check()
            self.train("cpu", 0)

    def train(self, device: str, threads: int, recorded: Callable[[], None] = lambda: None) -> None:
        """Train, or go on where an earlier run was stopped, until the last checkpoint is there.

        Args:
            device: `cpu`, `cuda:0` ...
            threads: CPU threads; 0 leaves it to torch.
            recorded: called whenever the history in the training's folder has changed.

        Raises:
            StudyError: when the training cannot begin, go on or be written.
        """
        raise NotImplementedError

    def needs(self) -> str:
        """See `ModelConfig.needs`."""
        return "" if self._is_small or not self._lacks() else self._untrained()

    @property
    def _is_small(self) -> bool:
        """Whether any job that needs the model may train it first; heads are chosen by a job of its own."""
        chooses = isinstance(self.training.gates, GivenMask) or self.training.reuse.has_task
        return self.training.small and not chooses

    def folder(self) -> Path:
        """Where the files of the checkpoint are."""
        return self.trained_checkpoint()

    def trained_checkpoint(self) -> Path:
        """The checkpoint of the epoch wanted.

        Raises:
            InputError: when it is not there.
        """
        if self._lacks():
            raise InputError(self._untrained())
        self.require_own_folder()
        return self.training.checkpoint(self.training_folder(), self._epoch())

    def gates(self) -> GatesRecord:
        """See `ModelConfig.gates`; a training without gates keeps every head.

        Raises:
            InputError: when the checkpoint is not there.
        """
        self.trained_checkpoint()
        training, folder = self.training, self.training_folder()
        scratch = {"scratch": True} if getattr(training, "scratch", False) else {}
        if training.gates.has_gates:
            record = read_gates(training.gates_file(folder, self._epoch()))
            return replace(record, options={**record.options, **scratch})
        step = self._step(read_history(folder))
        return GatesRecord(NO_GATES, scratch, training.id, step, heads=(), kept="")

    def _step(self, history: Sequence[Record]) -> int:
        """The update after which the checkpoint was saved: its epoch's, or the last one where updates are limited."""
        last = max(history, key=lambda record: record.step, default=None)
        if last is None or not last.epoch:
            return 0
        return min(round(self._epoch() * round(last.step / last.epoch)), last.step)

    def require_own_folder(self) -> None:
        """Refuse a folder that was named and holds another training, as far as what tells them apart is here.

        Raises:
            InputError: says where they differ.
        """
        folder = self.training_folder()
        if self.training.folder and (folder / IDENTITY_FILE).is_file() and not self.training.missing():
            require_same(folder, self.training.identity())

    def _untrained(self) -> str:
        return (
            f"model '{self.training_name}' has not been trained until epoch {self._epoch():g} yet: "
            f"run the same command with measure=train first"
        )

    def _epoch(self) -> float:
        return float(self.training.epochs) if self.epoch is None else self.epoch

    def _lacks(self) -> bool:
        """Whether the checkpoint wanted is not there.

        Raises:
            InputError: when the training keeps none of this epoch.
        """
        epoch = self._epoch()
        if epoch not in self.training.kept_epochs:
            kept = ", ".join(f"{kept:g}" for kept in self.training.kept_epochs)
            raise InputError(
                f"model.epoch={epoch:g}: the training keeps checkpoints of epochs {kept}; model.training.keep=[...] "
                f"names them"
            )
        return not self.training.checkpoint(self.training_folder(), epoch).exists()


@dataclass(kw_only=True)
class TrainedClassifier(TrainedModel, ClassifierOfTasks):
    """A sequence classifier that the project trains; the order of its labels is that of the training."""

    check_labels: bool = False
    training: ClassifierTraining = MISSING  # pyright: ignore[reportIncompatibleVariableOverride] of this kind alone

    def train(self, device: str, threads: int, recorded: Callable[[], None] = lambda: None) -> None:
        """See `TrainedModel.train`."""
        from study.training.classifier import train_classifier  # loads torch

        train_classifier(self.training, self.training_folder(), device, threads, recorded)


@dataclass(kw_only=True)
class TrainedRegressor(TrainedModel, ClassifierOfTasks, RegressorConfig):
    """A sequence model with one output that the project trains."""

    task: Task = Task.REGRESSION
    training: ClassifierTraining = MISSING  # pyright: ignore[reportIncompatibleVariableOverride] of this kind alone

    def idle(self) -> dict[str, str]:
        """See `ModelConfig.idle`."""
        return RegressorConfig.idle(self) | super().idle()

    def train(self, device: str, threads: int, recorded: Callable[[], None] = lambda: None) -> None:
        """See `TrainedModel.train`."""
        from study.training.classifier import train_classifier  # loads torch

        train_classifier(self.training, self.training_folder(), device, threads, recorded)


@dataclass(kw_only=True)
class TrainedDecoder(TrainedModel, DecoderConfig):
    """A decoder language model that the project trains."""

    training: DecoderTraining = MISSING  # pyright: ignore[reportIncompatibleVariableOverride] of this kind alone

    def train(self, device: str, threads: int, recorded: Callable[[], None] = lambda: None) -> None:
        """See `TrainedModel.train`."""
        from study.training.decoder import train_decoder  # loads torch

        train_decoder(self.training, self.training_folder(), device, threads, recorded)


@dataclass(kw_only=True)
class TrainedTranslator(TrainedModel, FairseqConfig):
    """A translation model that fairseq trains; without `epoch` that of least loss on the dev data."""

    training: TranslationTraining = MISSING  # pyright: ignore[reportIncompatibleVariableOverride] of this kind alone

    def train(self, device: str, threads: int, recorded: Callable[[], None] = lambda: None) -> None:  # noqa: ARG002
        """See `TrainedModel.train`; fairseq takes the GPUs that it sees, and the threads that the environment says."""
        from study.training.fairseq.translator import (
            train_translator,  # loads what splits words, which only a training needs
        )

        train_translator(self.training, self.training_folder(), recorded)

    def factors(self, data: str, precision: str) -> Factors:
        """See `ModelConfig.factors`: which epoch has the least loss is not known beforehand."""
        return replace(super().factors(data, precision), epoch=self.epoch)

    def training_identity(self) -> dict[str, Any]:
        """See `TrainedModel.training_identity`; without an epoch it is the checkpoint of least loss."""
        return super().training_identity() | {"epoch": self.epoch}

    def _step(self, history: Sequence[Record]) -> int:
        """See `TrainedModel._step`; without an epoch it is that of least loss on the dev data, as fairseq counts."""
        best = best_step(self.training_folder() / LOG_FILE) if self.epoch is None else None
        return super()._step(history) if best is None else best

    def folder(self) -> Path:
        """Where checkpoints, dictionaries and BPE codes are."""
        return self.training_folder()

    def weights_file(self) -> Path:
        """See `FairseqConfig.weights_file`."""
        checkpoint = self.trained_checkpoint()
        return checkpoint if self.epoch is not None else checkpoint.with_name(CHECKPOINTS[0])


@dataclass(kw_only=True)
class TunedTranslator(TrainedModel, FairseqConfig):
    """A translation model of fairseq's that the project trains further, or one like it that it trains from nothing."""

    training: TranslatorTuning = MISSING  # pyright: ignore[reportIncompatibleVariableOverride] of this kind alone

    def train(self, device: str, threads: int, recorded: Callable[[], None] = lambda: None) -> None:
        """See `TrainedModel.train`."""
        from study.training.translator.loop import tune_translator  # loads torch

        tune_translator(self.training, self.training_folder(), device, threads, recorded)

    def folder(self) -> Path:
        """Where checkpoints, dictionaries and BPE codes are."""
        return self.training_folder()

    def weights_file(self) -> Path:
        """See `FairseqConfig.weights_file`."""
        return self.trained_checkpoint()
