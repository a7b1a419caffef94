"""What every kind of model offers: the contract of `conf/model`. No tensor is imported before a model is loaded."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any

from omegaconf import MISSING

from study.data.source import Task
from study.record.errors import InputError
from study.record.factors import Factors
from study.record.files import name_of
from study.record.metrics.statistics import MetricName
from study.subjects.checkpoints import PLACE, at_epoch, no_such_epoch, shared_name
from study.subjects.huggingface.unpadded import identity_of_rows
from study.subjects.labels import label_names, require_labels

if TYPE_CHECKING:
    import torch

    from study.record.examples import Examples
    from study.subjects.subject import Subject


@dataclass(kw_only=True)
class ExpectedScore:
    """The base score that a model should reach on a data set; guards a sweep against a wrong model or text pipeline.

    Attributes:
        score: in the metric's unit (percent, BLEU).
        tolerance: largest difference that is accepted, same unit.
    """

    score: float = MISSING
    tolerance: float = MISSING


class Precision(StrEnum):
    """How numbers are computed; part of a setting's identity. Names are what is written on the command line."""

    float32 = "float32"
    bfloat16 = "bfloat16"
    screened = "screened"


@dataclass(kw_only=True)
class Screening:
    """How careful `precision=screened` is, see `study.engine.bottom_up.screening`; part of a setting's identity.

    Attributes:
        sample: decisions on which the draft's error is measured before the first block.
        safety: the threshold is the largest error seen times this.
        audit: share of what the draft decides that float32 decides all the same.
    """

    sample: int = 512
    safety: float = 2.0
    audit: float = 0.01

    def __post_init__(self) -> None:
        if self.sample < 1 or self.safety < 1 or not 0 <= self.audit <= 1:
            raise InputError(
                f"screening: sample={self.sample} must be 1 or more, safety={self.safety} 1 or more, "
                f"audit={self.audit} between 0 and 1"
            )


@dataclass(kw_only=True)
class ModelConfig:
    """A model to study, where it is and how it is run.

    Attributes:
        name: short name; names the folder under results/. Where a YAML file leaves it empty, the last part of the path.
        task: what it does with texts; its data must have the same.
        metric: which statistics its outcomes store.
        expected: base score by name of data set.
        epoch: which checkpoint of a training it is; None where it is not one of several. Ends the name: `NAME-epoch3`.
    """

    name: str = MISSING
    task: Task = MISSING
    metric: MetricName = MISSING
    expected: dict[str, ExpectedScore] = field(default_factory=dict)
    epoch: float | None = None

    def _take_name(self, otherwise: str) -> None:
        """Name the model where it has no name; a checkpoint is named by its epoch as well."""
        self.training_name = self.name or otherwise
        self.name = self.training_name if self.epoch is None else f"{self.training_name}-epoch{self.epoch:g}"

    def factors(self, data: str, precision: str) -> Factors:
        """Where the model's setting on some data stands on the axes.

        Args:
            data: short name of the data set.
            precision: how numbers are computed, as it stands in the setting.
        """
        return Factors(self.training_name, data, precision, epoch=self.epoch)

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

    def load(self, device: torch.device) -> Subject:
        """The model, ready for study.

        Raises:
            InputError: when its files are missing, damaged, or do not fit each other.
        """
        raise NotImplementedError


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
    metric: MetricName = MetricName.ACCURACY
    labels: list[str] = field(default_factory=list)
    check_labels: bool = True
    max_length: int = 128
    truncate: bool = False

    def folder(self) -> Path:
        """Where its files are.

        Raises:
            InputError: when they are not on this machine.
        """
        raise NotImplementedError

    def identity(self) -> dict[str, Any]:
        """Digests of the files, the labels as configured, how texts are cut, and what `identity_of_rows` adds."""
        from study.subjects.huggingface.hub import model_digests, relaid, require_tokenizer

        folder = self.folder()
        files = model_digests(folder)
        require_tokenizer(folder)
        return {
            "files": files,
            "labels": list(label_names(folder, self.labels)),
            "max_length": self.max_length,
            "truncate": self.truncate,
            "masked_by": "zero",
            **relaid(folder),
            **identity_of_rows(folder),
        }

    def check_targets(self, examples: Examples) -> None:
        """Every label of the data must be one of the model's."""
        require_labels(examples.targets, label_names(self.folder(), self.labels))

    def check_texts(self, examples: Examples, max_unknown: float) -> None:
        """See `ModelConfig.check_texts`; takes the tokenizer alone."""
        from study.subjects.classifier_text import read_text

        labels = label_names(self.folder(), self.labels)
        text = read_text(self.folder(), labels, max_length=self.max_length, truncate=self.truncate)
        text.encode(examples, max_unknown)

    def load(self, device: torch.device) -> Subject:
        """The classifier in float32."""
        from study.subjects.classifier import load_classifier

        folder = self.folder()
        return load_classifier(
            folder, device, labels=label_names(folder, self.labels), max_length=self.max_length, truncate=self.truncate
        )


@dataclass(kw_only=True)
class HubClassifier(ClassifierConfig):
    """Any sequence classifier of transformers, by hub name or local folder.

    Attributes:
        path: folder with config.json, or hub name; with `{epoch}` in it, that of each checkpoint of a training.
        revision: commit, tag or branch on the hub.
    """

    path: str = MISSING
    revision: str | None = None

    def __post_init__(self) -> None:
        self._take_name(shared_name(self.path) if PLACE in self.path else name_of(self.path))

    def idle(self) -> dict[str, str]:
        """A revision chooses among those on the hub."""
        is_folder = Path(self.path).expanduser().is_dir()
        return {"revision": f"it is of a model on the hub, and {self.path} is a folder"} if is_folder else {}

    def missing(self) -> list[str]:
        """The hub name, when its files are not in the download cache."""
        from study.subjects.huggingface.hub import local_folder

        path = self._path()
        return [] if local_folder(path, self.revision) else [f"model {path} from the Hugging Face hub"]

    def fetch(self) -> None:
        """Download from the hub."""
        from study.subjects.huggingface.hub import download

        if self.missing():
            download(self.path, self.revision)

    def folder(self) -> Path:
        """See `ClassifierConfig.folder`."""
        from study.subjects.huggingface.hub import local_folder

        folder = local_folder(self._path(), self.revision)
        if folder is None:
            raise InputError(f"model '{self.path}' is neither a folder nor downloaded: run `study fetch` with it first")
        return folder

    def _path(self) -> str:
        """The folder or hub name; that of the epoch wanted, where there is one for each."""
        path = at_epoch(self.path, self.epoch, "model.path")
        if self.epoch is not None and not Path(path).expanduser().is_dir():
            raise no_such_epoch(Path(self.path).expanduser(), self.epoch)
        return path
