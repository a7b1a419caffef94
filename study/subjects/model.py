"""The config of a model, whatever its kind: the contract of `conf/model`. No tensor is imported before it is loaded."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from omegaconf import MISSING

from study.record.errors import InputError
from study.record.factors import Factors
from study.record.metrics import Task

if TYPE_CHECKING:
    from pathlib import Path

    import torch

    from study.record.examples import Examples
    from study.record.training.gates import GatesRecord
    from study.record.training.tasks import TaskChain
    from study.subjects.subject import Subject


@dataclass(kw_only=True)
class ExpectedScore:
    """The base score that a model should reach on a data set; guards a sweep against a wrong model or text pipeline.

    Attributes:
        score: base score in the unit of the data's metric (percent, BLEU).
        tolerance: largest difference that is accepted, in the same unit.
    """

    score: float = MISSING
    tolerance: float = MISSING


@dataclass(kw_only=True)
class ModelConfig:
    """A model to study, where it is and how it is run.

    Attributes:
        name: short name; names the folder under results/. Where a YAML file leaves it empty, the last part of the path.
        task: what it does with texts, the first where it does several things; see `tasks`.
        expected: base score by name of data set.
        epoch: which checkpoint of a training it is; None where it is not one of several. Ends the name: `NAME-epoch3`.
        seed: seed of its training; None where it is not one of several. Ends the name: `NAME-seed1`.
        initial: name of the weights that its training started from, such as `bert-base-uncased`; heads are compared one
            by one along seeds only where it is the same.
    """

    name: str = MISSING
    task: Task = MISSING
    expected: dict[str, ExpectedScore] = field(default_factory=dict)
    epoch: float | None = None
    seed: int | None = None
    initial: str = ""

    def _take_name(self, otherwise: str) -> None:
        """Name the model where it has no name; one of several is named by its seed and epoch as well."""
        self.training_name = self.name or otherwise
        seed = "" if self.seed is None else f"-seed{self.seed}"
        self.name = self.training_name + seed + ("" if self.epoch is None else f"-epoch{self.epoch:g}")

    @classmethod
    def usual_tasks(cls) -> tuple[Task, ...]:
        """What a model of this kind does with texts, as far as that is known before its options are given."""
        return (cls.task,)

    def tasks(self) -> tuple[Task, ...]:
        """All that it does with texts: data of any of these tasks can be studied."""
        return self.usual_tasks()

    @property
    def fresh_seed(self) -> int | None:
        """Seed of the random weights of a model that has learned nothing; None of every other."""
        return None

    def weights_precision(self) -> str | None:
        """The precision of its weights, by name, where that is lower than float32; None otherwise."""
        return None

    def factors(self, data: str, precision: str) -> Factors:
        """Where the model's setting on some data, in some precision, stands on the axes."""
        return Factors(self.training_name, data, precision, self.seed, self.epoch, self.initial or None)

    def idle(self) -> dict[str, str]:
        """Options that have no effect beside the others' values, and why."""
        return {}

    def missing(self) -> list[str]:
        """What must be downloaded or made before the model can be loaded, in words; empty when all is here."""
        return []

    def fetch(self) -> None:
        """Download or make what `missing` names."""

    def languages(self) -> tuple[str, str] | None:
        """Codes of the languages that it reads and writes; None where it does not translate."""
        return None

    def needs(self) -> str:
        """Which other job must have made the model before it can be studied, in words; empty when it is there."""
        return ""

    def identity(self) -> dict[str, Any]:
        """All of the model side that determines an outcome, as JSON values: weights, text processing, decoding.

        Reads files but no tensors, and imports no model code, so that a finished job is recognised at once.
        """
        raise NotImplementedError

    def check_targets(self, examples: Examples) -> None:
        """Refuse data whose targets the model cannot be scored on; reads no weights.

        Raises:
            InputError: for labels that the model does not have.
        """

    def check_texts(self, examples: Examples, max_unknown: float) -> None:
        """Refuse texts that the model cannot read, before its weights are loaded, where its files tell that.

        Args:
            examples: the texts to study.
            max_unknown: largest share of tokens that the model may not know.

        Raises:
            InputError: for texts that are too long, and for too many unknown tokens.
        """

    def gates(self) -> GatesRecord:
        """What the gates have become that heads had while its weights were trained.

        Raises:
            InputError: when nothing is known of them.
        """
        raise InputError(f"nothing is known of gates of model '{self.name}': it is no checkpoint of a training here")

    def task_chain(self) -> TaskChain | None:
        """The tasks that it was taught one after the other; None where it has one, or where they are not here yet."""
        return None

    def folder(self) -> Path:
        """Where its files are, or will be once they are fetched.

        Raises:
            InputError: when they are not on this machine.
        """
        raise NotImplementedError

    def text_files(self) -> dict[Path, str]:
        """The files that turn text into tokens, and what they are called beside the weights of a pruned model."""
        raise NotImplementedError

    def pruned(self, folder: Path) -> ModelConfig:
        """The config of a model that was pruned from this one and lies in a folder."""
        raise NotImplementedError

    def load(self, device: torch.device) -> Subject:
        """The model, ready for study.

        Raises:
            InputError: when its files are missing, damaged, or do not fit each other.
        """
        raise NotImplementedError
