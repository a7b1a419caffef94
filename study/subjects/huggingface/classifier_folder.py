"""Where a classifier of transformers is, and how it is run. No tensor is imported before it is loaded."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from study.record.errors import InputError, listed
from study.record.metrics import Task
from study.record.metrics.numbers import numbers
from study.record.training.tasks import TASKS_FILE, read_tasks
from study.subjects.huggingface.corrections import corrections
from study.subjects.huggingface.hub_folder import UNTRAINED, HubFolder
from study.subjects.huggingface.label_names import label_names, require_one_output
from study.subjects.labels import require_labels
from study.subjects.model import ModelConfig
from study.subjects.model_files import model_digests, require_tokenizer, tokenizer_files

if TYPE_CHECKING:
    import torch

    from study.record.examples import Examples
    from study.subjects.classifier import Classifier


@dataclass(kw_only=True)
class ClassifierConfig(ModelConfig):
    """A sequence classifier of transformers, wherever its folder is.

    Attributes:
        labels: name of each output, in order; read from the model when empty.
        check_labels: refuse a model that another order of its labels would make far better.
        max_length: most tokens of an example, special tokens included.
        truncate: cut longer examples, as the paper does; they are refused otherwise.
    """

    task: Task = Task.CLASSIFICATION
    labels: list[str] = field(default_factory=list)
    check_labels: bool = True
    max_length: int = 128
    truncate: bool = False

    def identity(self) -> dict[str, Any]:
        """Digests of the files, the labels as configured, how texts are cut, and what was corrected since."""
        folder = self.folder()
        _require_one_task(folder)
        files = model_digests(folder)
        require_tokenizer(folder)
        return {
            "files": files,
            "labels": list(self.output_names()),
            "max_length": self.max_length,
            "truncate": self.truncate,
            "masked_by": "zero",
            **corrections(folder),
            **({} if self.fresh_seed is None else {UNTRAINED: self.fresh_seed}),
        }

    def check_targets(self, examples: Examples) -> None:
        """Every label of the data must be one of the model's."""
        require_labels(examples.targets, self.output_names(), examples.merged)

    def check_texts(self, examples: Examples, max_unknown: float) -> None:
        """See `ModelConfig.check_texts`; takes the tokenizer alone."""
        from study.subjects.huggingface.load_classifier import load_text

        text = load_text(self.folder(), self.output_names(), max_length=self.max_length, truncate=self.truncate)
        text.encode(examples, max_unknown)

    def load(self, device: torch.device) -> Classifier:
        """The classifier in float32."""
        from study.subjects.huggingface.load_classifier import load_classifier

        _require_one_task(self.folder())
        options = {"max_length": self.max_length, "truncate": self.truncate}
        return load_classifier(self.folder(), device, labels=self.output_names(), fresh_seed=self.fresh_seed, **options)

    def output_names(self) -> tuple[str, ...]:
        """The name of each output, see `label_names`."""
        return label_names(self.folder(), self.labels)

    def text_files(self) -> dict[Path, str]:
        """The files of the tokenizer."""
        return {file: file.name for file in tokenizer_files(self.folder())}

    def pruned(self, folder: Path) -> ClassifierConfig:
        """See `ModelConfig.pruned`; the folder names the labels itself."""
        return HubClassifier(name="", path=str(folder), max_length=self.max_length, truncate=self.truncate)


def _require_one_task(folder: Path) -> None:
    """Refuse a folder of tasks, whose weights alone are none of them.

    Raises:
        InputError: names the tasks.
    """
    if (folder / TASKS_FILE).is_file():
        names = [task.name for task in read_tasks(folder / TASKS_FILE).tasks]
        raise InputError(
            f"{folder} is a model of several tasks ({listed(names)}): model=tasks_folder studies one of them"
        )


@dataclass(kw_only=True)
class HubClassifier(ClassifierConfig, HubFolder):
    """Any sequence classifier of transformers, by hub name or local folder."""

    ENTRY: ClassVar[str] = "hf_classifier"


@dataclass(kw_only=True)
class RegressorConfig(ClassifierConfig):
    """A sequence model of transformers with one output, a number, wherever its folder is."""

    task: Task = Task.REGRESSION

    def idle(self) -> dict[str, str]:
        """It has no labels."""
        return super().idle() | dict.fromkeys(("labels", "check_labels"), "a regression has no labels")

    def output_names(self) -> tuple[str, ...]:
        """No names.

        Raises:
            InputError: when there are several outputs.
        """
        require_one_output(self.folder())
        return ()

    def check_targets(self, examples: Examples) -> None:
        """Every target must be a number."""
        numbers(examples.targets)

    def pruned(self, folder: Path) -> ClassifierConfig:
        """See `ModelConfig.pruned`."""
        return HubRegressor(name="", path=str(folder), max_length=self.max_length, truncate=self.truncate)


@dataclass(kw_only=True)
class HubRegressor(RegressorConfig, HubClassifier):
    """Any sequence model of transformers with one output, by hub name or local folder."""

    ENTRY: ClassVar[str] = "hf_regressor"
