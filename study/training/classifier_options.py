"""Options of training a sequence classifier: fine-tuning of a model, or a small BERT from nothing."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from study.record.errors import InputError, listed
from study.record.files import short_hash
from study.record.metrics import Task
from study.record.training.tasks import TASKS_FILE
from study.reuse.options import LaterTask, Weights
from study.subjects.huggingface.classifier_folder import ClassifierConfig, HubClassifier, HubRegressor
from study.subjects.huggingface.label_names import has_one_output, label_names
from study.subjects.model_files import read_json
from study.subjects.tasks.config import TasksFolder
from study.training.training import limited, source_identity
from study.training.transformers_options import TransformersTraining, Tuning


@dataclass(kw_only=True)
class ClassifierTraining(TransformersTraining):
    """How the weights of a sequence classifier are found: by the cross entropy of its labels."""

    task: Task = Task.CLASSIFICATION

    def own_labels(self) -> tuple[str, ...]:
        """The labels that the model before its first step has already; none where those of the data are taken."""
        return ()


@dataclass(kw_only=True)
class FineTuning(ClassifierTraining, Tuning):
    """A trained model learns a task of classification.

    Attributes:
        new_head: it gets an output layer with random weights, whose labels are those of the training data; false: it
            goes on with its own, and the data may have no other labels. A later task then begins with a copy of the
            output layer of the task before it.
        labels: names of its own outputs, in order; read from the model when empty.
    """

    teaches_later_tasks = True

    new_head: bool = True
    labels: list[str] = field(default_factory=list)

    def identity(self) -> dict[str, Any]:
        """See `Training.identity`; labels belong to it where they are given."""
        identity = super().identity()
        return identity if self.labels else {name: value for name, value in identity.items() if name != "labels"}

    def check(self) -> None:
        """See `Training.check`."""
        super().check()
        if self.labels and self.new_head and not self.reuse.has_task:
            raise InputError(
                "training.labels names the model's own outputs, and training.new_head=true gives it others: "
                "add training.new_head=false"
            )
        if isinstance(self.reuse, LaterTask) and self.reuse.body is Weights.pretrained and not self.new_head:
            raise InputError(
                "reuse.body=pretrained begins with a model that has no output layer for the task, and "
                "training.new_head=false keeps that of the model to start from: leave one out"
            )
        is_here = not self.missing() and not (self.origin and self.origin.needs())
        if self.reuse.has_task and not self.new_head and is_here:
            self._check_outputs()
        if getattr(self.reuse, "pooler", True) is False and is_here:
            from study.subjects.tasks.output_tensors import require_pooler_of  # loads torch

            require_pooler_of(self.start_folder())

    def _check_outputs(self) -> None:
        """Refuse a later task that has other labels than the output layer of which it is to begin with a copy."""
        earlier, own = self.earlier_names()[-1], self.start_model().output_names()
        wanted = () if self.task is Task.REGRESSION else limited(self.train_set).labels
        if (not own) != (not wanted) or {name.casefold() for name in wanted} - {name.casefold() for name in own}:
            has = f"the {len(own)} labels {listed(own)}" if own else "one output, a number"
            needs = f"{len(wanted)}: {listed(wanted)}" if wanted else "one output, a number"
            raise InputError(
                f"training.new_head=false begins with a copy of the output layer of task '{earlier}', which has {has}; "
                f"data '{self.train.name}' needs {needs}. training.new_head=true gives the later task an output layer "
                "of its own"
            )

    def start_model(self) -> ClassifierConfig:
        """See `Training.start_model`; texts are cut as in the training."""
        if self.new_head and not self.reuse.has_task:
            raise InputError(
                "the model before the first step has a new output layer, and nothing tells which of its heads matter: "
                "training.new_head=false starts from a model that does the task"
            )
        if self.origin:
            return self.origin
        revision = None if Path(self.start).expanduser().is_dir() else self.revision
        options: dict[str, Any] = {"max_length": self.max_length, "truncate": True}
        options |= {"labels": list(self.labels)} if self.labels else {}
        return self._start_kind()(name="", path=self.start, revision=revision, **options)

    def _start_kind(self) -> type[HubClassifier]:
        """The kind of the model to start from; that of a later task need not be of its own."""
        if not self.reuse.has_task:
            return HubRegressor if self.task is Task.REGRESSION else HubClassifier
        folder = self.start_folder()
        if (folder / TASKS_FILE).is_file():
            return TasksFolder
        return HubRegressor if has_one_output(folder) else HubClassifier

    def own_labels(self) -> tuple[str, ...]:
        """See `ClassifierTraining.own_labels`."""
        if self.new_head or self.task is Task.REGRESSION:
            return ()
        if self.reuse.has_task:
            return self.start_model().output_names()
        if self.labels:
            return label_names(self.start_folder(), self.labels)
        if not read_json(self.start_folder() / "config.json").get("id2label"):
            raise InputError(f"{self.start} is no classifier, it has no labels: training.new_head=true gives it some")
        return label_names(self.start_folder(), [])


@dataclass(kw_only=True)
class NewBert(ClassifierTraining):
    """A small BERT with random weights, and a WordPiece vocabulary learnt from the training texts.

    Attributes:
        vocabulary: WordPiece tokens at most.
        layers: encoder layers.
        heads: attention heads per layer.
        hidden: model dimension, a multiple of `heads`.
        inner: dimension of the feed-forward layers.
        initial_range: standard deviation of the initial weights; BERT's .02 is too small for so narrow a model, which
            then stays for long where it only sees single words.
    """

    vocabulary: int = 300
    layers: int = 4
    heads: int = 4
    hidden: int = 64
    inner: int = 128
    initial_range: float = 0.08

    def initial(self) -> str:
        """See `Training.initial`."""
        sizes = (self.vocabulary, self.layers, self.heads, self.hidden, self.inner, self.max_length)
        drawn = {"seed": self.seed_of_weights, "range": self.initial_range}
        return short_hash({**drawn, "sizes": sizes, "train": source_identity(self.train_set)})
