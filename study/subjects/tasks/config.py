"""Tasks of a folder of tasks, as `conf/model` entries. No tensor is imported before one is loaded."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar

from study.record.errors import InputError
from study.record.factors import Factors
from study.record.files import file_digest
from study.record.metrics import Task
from study.record.metrics.numbers import numbers
from study.record.training.tasks import TASKS_FILE, TaskChain, TaskRecord, read_tasks
from study.subjects.huggingface.classifier_folder import ClassifierConfig, HubClassifier, HubRegressor
from study.subjects.huggingface.corrections import corrections
from study.subjects.model_files import require_tokenizer, tokenizer_files

if TYPE_CHECKING:
    from pathlib import Path

    import torch

    from study.record.examples import Examples
    from study.subjects.classifier import Classifier

TAUGHT = (Task.CLASSIFICATION, Task.REGRESSION)
"""What a classifier can be taught to do with texts."""


@dataclass(kw_only=True)
class ClassifierOfTasks(ClassifierConfig):
    """A classifier or regressor that may have several tasks, of which it does one.

    Attributes:
        task_name: which of its tasks; the latest when empty.
    """

    task_name: str = ""

    def has_tasks(self) -> bool:
        """Whether it is a model of several tasks, whether or not it is there yet."""
        raise NotImplementedError

    def chosen(self) -> TaskRecord | None:
        """The task that it does; None where it has but one, or where its tasks are not here yet.

        Raises:
            InputError: when it has no task of that name.
        """
        chain = self.task_chain() if self.has_tasks() else None
        return chain.task(self.task_name) if chain else None

    def tasks(self) -> tuple[Task, ...]:
        """See `ModelConfig.tasks`; an earlier task may be of another kind than the latest."""
        if chosen := self.chosen():
            return (Task(chosen.kind),)
        return TAUGHT if self.has_tasks() else super().tasks()

    def idle(self) -> dict[str, str]:
        """See `ModelConfig.idle`."""
        if not self.has_tasks():
            return super().idle() | {"task_name": "the model has one task"}
        said = f"each task has its own, in {TASKS_FILE}"
        return super().idle() | dict.fromkeys(("labels", "check_labels"), said)

    def output_names(self) -> tuple[str, ...]:
        """See `ClassifierConfig.output_names`."""
        chosen = self.chosen()
        return chosen.labels if chosen else super().output_names()

    def identity(self) -> dict[str, Any]:
        """See `ClassifierConfig.identity`: a task is known by all numbers that it computes with.

        Heads that are off for it play no part: what is taught to them later does not change it.
        """
        if (chosen := self.chosen()) is None:
            return super().identity()
        folder = self.folder()
        require_tokenizer(folder)
        files = [folder / "config.json", *tokenizer_files(folder)]
        return {
            "files": {file.name: file_digest(file) for file in files},
            "task": chosen.name,
            "weights": chosen.digest,
            "labels": list(chosen.labels),
            "max_length": self.max_length,
            "truncate": self.truncate,
            "masked_by": "zero",
            **corrections(folder),
        }

    def check_targets(self, examples: Examples) -> None:
        """See `ModelConfig.check_targets`; another of its tasks is named where that has the answers."""
        try:
            if (chosen := self.chosen()) and not chosen.labels:
                numbers(examples.targets)
            else:
                super().check_targets(examples)
        except InputError as error:
            raise InputError(f"{error}{self._other_task(examples)}") from error

    def _other_task(self, examples: Examples) -> str:
        """Which of its tasks has the answers of some examples, in words; empty where none has."""
        chain, answers = self.task_chain() if self.has_tasks() else None, {name.casefold() for name in examples.targets}
        for task in chain.tasks if chain else ():
            if answers <= {name.casefold() for name in task.labels}:
                return f". Task '{task.name}' of this model has these labels: model.task_name={task.name} takes it"
        return ""

    def load(self, device: torch.device) -> Classifier:
        """See `ClassifierConfig.load`; the heads that are off for its task are silent."""
        if (chosen := self.chosen()) is None:
            return super().load(device)
        from study.subjects.tasks.load import load_task  # loads torch

        return load_task(self.folder(), chosen.name, device, max_length=self.max_length, truncate=self.truncate)

    def pruned(self, folder: Path) -> ClassifierConfig:
        """See `ModelConfig.pruned`; a model that was pruned from a task has that one alone."""
        kind = HubRegressor if self.tasks() == (Task.REGRESSION,) else HubClassifier
        return kind(name="", path=str(folder), max_length=self.max_length, truncate=self.truncate)


@dataclass(kw_only=True)
class TasksFolder(ClassifierOfTasks, HubClassifier):
    """A task of a folder of tasks, by local folder or hub name."""

    ENTRY: ClassVar[str] = "tasks_folder"

    check_labels: bool = False

    @classmethod
    def usual_tasks(cls) -> tuple[Task, ...]:
        """Those that a classifier can be taught."""
        return TAUGHT

    def has_tasks(self) -> bool:
        """See `ClassifierOfTasks.has_tasks`."""
        return True

    def task_chain(self) -> TaskChain | None:
        """See `ModelConfig.task_chain`.

        Raises:
            InputError: when the folder is a model of one task.
        """
        return None if self.missing() else read_tasks(self.folder() / TASKS_FILE)

    def identity(self) -> dict[str, Any]:
        """See `ClassifierOfTasks.identity`.

        Raises:
            InputError: for random weights in place of those in the folder.
        """
        if self.untrained:
            raise InputError("model.untrained=true: a folder of tasks is what was taught to a model, it has no other")
        return super().identity()

    def factors(self, data: str, precision: str) -> Factors:
        """See `ModelConfig.factors`."""
        chain, chosen = self.task_chain(), self.chosen()
        words = {"reuse": chain.latest.words or None} if chain else {}
        return replace(super().factors(data, precision), **words, taught=chosen.name if chosen else None)
