"""Options of training a translator by gradient steps of our own: a trained one goes on, or one like it begins anew."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from omegaconf import MISSING

from study.gates.options import LearnedGates
from study.record.errors import InputError, listed
from study.record.files import file_digest, short_hash
from study.record.metrics import Task
from study.record.training.gates import GATES_FILE
from study.record.training.history import read_history
from study.reuse.options import LaterTask, OutputLayer, Weights
from study.subjects.fairseq.folder import FairseqConfig, FairseqFolder
from study.subjects.fairseq.tasks import tasks_file
from study.subjects.model_files import WEIGHTS_FILE
from study.training.training import Training
from study.training.translator.schedules import Schedule


@dataclass(kw_only=True)
class TranslatorTuning(Training):
    """How a transformer of fairseq's is trained further, without fairseq and as fairseq would.

    Adam (betas .9 and .98) on the label-smoothed cross entropy, the mean over the target tokens of a batch. A batch
    holds pairs of similar length; batches and their order are those of `fairseq-train
    --required-batch-size-multiple 1` with the same seed.

    Attributes:
        start: folder of a fairseq model, or a checkpoint in such a folder; empty with an origin.
        origin: in place of `start`, any translation model of `conf/model`, such as one that is trained here.
        scratch: begin with random weights in place of that model's, everything else the same, see `Tuning`.
        source: language code of the source side.
        target: language code of the target side.
        escape: whether text is escaped by the Moses tokeniser, see `model.escape`.
        aggressive_dash_splits: whether compounds are split at hyphens, see `model.aggressive_dash_splits`.
        updates: updates at most; None: all of `epochs`.
        max_tokens: tokens a batch, on the longer side with its padding.
        dropout: dropout of embeddings and of what each block adds.
        attention_dropout: dropout of attention weights.
        activation_dropout: dropout within the feed-forward blocks.
        label_smoothing: label smoothing of the cross entropy.
        schedule: course of the learning rate after the warm-up: `inverse_sqrt`, `linear` or `constant`.
        learning_rate: peak of the learning rate.
        warmup_updates: updates until the peak.
        weight_decay: Adam's weight decay, of every weight.
        clip_norm: largest norm of an update's gradient; 0 for none.
        evaluate_every: epochs between two evaluations on the dev data; there is one at each checkpoint besides.
        record_every: updates between two records of the training loss in the history.
        save_every: updates after which what a killed training goes on from is written; every few minutes it is besides.
        threads: CPU threads; 0: those of the job. The last bits of the weights depend on it.
    """

    task: Task = Task.TRANSLATION
    seed: int = 1
    teaches_later_tasks = True

    start: str = ""
    origin: Any = None  # a `FairseqConfig`, of a module above this one where it is trained here
    scratch: bool = False
    source: str = MISSING
    target: str = MISSING
    escape: bool = False
    aggressive_dash_splits: bool = False
    updates: int | None = None
    max_tokens: int = 4000
    dropout: float = 0.1
    attention_dropout: float = 0.0
    activation_dropout: float = 0.0
    label_smoothing: float = 0.1
    schedule: Schedule = Schedule.inverse_sqrt
    learning_rate: float = 5e-4
    warmup_updates: int = 100
    weight_decay: float = 0.0
    clip_norm: float = 1.0
    evaluate_every: float = 1.0
    record_every: int = 50
    save_every: int = 500
    threads: int = 0

    def start_model(self) -> FairseqConfig:
        """See `Training.start_model`."""
        return self.origin or self._folder_model(self.start)

    def _folder_model(self, named: str) -> FairseqFolder:
        path = Path(named)
        is_file = path.suffix == ".pt"
        return FairseqFolder(
            name="",
            path=str(path.parent if is_file else path),
            checkpoint=path.name if is_file else None,
            source_lang=self.source,
            target_lang=self.target,
            escape=self.escape,
            aggressive_dash_splits=self.aggressive_dash_splits,
        )

    def identity(self) -> dict[str, Any]:
        """See `Training.identity`; what is trained here is known before it is there."""
        identity = {name: value for name, value in super().identity().items() if name != "scratch" or value}
        return {**identity, "start": self._start_identity(), **self._tasks_identity()}

    def _tasks_identity(self) -> dict[str, Any]:
        """What the record of a later domain, and its weights, depend on besides."""
        if not self.reuse.has_task:
            return {}
        pretrained = self.pretrained_model()
        return {"tasks": self.task_names(), **({} if pretrained is None else {"pretrained": _identity(pretrained)})}

    def task_names(self) -> list[str]:
        """See `Training.task_names`."""
        assert isinstance(self.reuse, LaterTask), "a training of a later domain"
        later = self.reuse.task or self.train.name
        return [later] if self.reuse.body is Weights.pretrained else [*self._earlier_names(self.reuse), later]

    def _earlier_names(self, reuse: LaterTask) -> list[str]:
        """The names of the domains that the model to start from has, whether or not it is trained yet."""
        model = self.start_model()
        origin = getattr(model, "training", None)
        if origin is not None and origin.reuse.has_task:
            return origin.task_names()
        chain = None if origin is not None else model.task_chain()
        return [task.name for task in chain.tasks] if chain else [reuse.earlier or model.training_name]

    def _start_identity(self) -> dict[str, Any]:
        """All that determines the weights that it starts from and how text is read, as JSON values."""
        model = self.start_model()
        trained = getattr(model, "training_identity", None)
        if trained is not None:
            return trained()
        weights = model.weights_file()
        if weights.name == WEIGHTS_FILE:
            raise InputError(
                f"training.start={weights.parent} is a model from which heads were removed: start from the whole model "
                f"and keep the same heads by gates=kept"
            )
        return _identity(model)

    def pretrained_model(self) -> FairseqFolder | None:
        """The model that `reuse.pretrained` names, a folder or a checkpoint in it; None where none is named.

        It is read with the dictionaries and BPE codes of its folder, which must be those of the start.
        """
        named = self.reuse.pretrained if isinstance(self.reuse, LaterTask) else ""
        return self._folder_model(named) if named else None

    def initial(self) -> str:
        """See `Training.initial`."""
        drawn = {"scratch": self.seed} if self.scratch else {}
        return short_hash({"start": self._start_identity(), **drawn})

    def check(self) -> None:
        """See `Training.check`."""
        super().check()
        if bool(self.start) == bool(self.origin):
            raise InputError(
                "training.start names the folder of a fairseq model to start from, training.origin a model of "
                "conf/model: give one of them"
            )
        if self.scratch and isinstance(self.gates, LearnedGates):
            raise InputError(
                f"training.scratch=true begins with random weights, and gates={self.gates.name} learns which heads of "
                f"a trained model matter: scratch is for the same heads, trained anew (gates=kept), or all (gates=none)"
            )
        if isinstance(self.reuse, LaterTask):
            self._check_reuse(self.reuse)
        elif self._starts_from_several():
            raise InputError(
                "the model to start from has several tasks, of which no other training knows: "
                "model.training.reuse=free_heads teaches it another"
            )
        self._check_numbers()
        if not self.missing():
            self._start_identity()

    def _starts_from_several(self) -> bool:
        origin = getattr(self.origin, "training", None)
        return origin.reuse.has_task if origin is not None else self.start_model().task_chain() is not None

    def _check_reuse(self, reuse: LaterTask) -> None:
        """Refuse what a translator has not, or cannot do, as the later of two tasks."""
        if isinstance(reuse, OutputLayer):
            raise InputError(
                "reuse=output_layer is for classifiers: a translator writes every domain with the words of one "
                "dictionary, so that no domain has an output layer of its own"
            )
        if getattr(reuse, "pooler", True) is False:
            raise InputError("reuse.pooler=false has no effect here: a translator has no pooler")
        if self.scratch or self.gates.has_gates:
            what = "training.scratch=true" if self.scratch else f"gates={self.gates.name}"
            raise InputError(f"{what} does not go with reuse={reuse.name}, which teaches a later domain: leave one out")
        if getattr(self.origin, "task_name", ""):
            raise InputError("training.origin.task_name: a later domain is taught beside the latest one: leave it out")
        names = self.task_names()
        if names[-1] in names[:-1]:
            raise InputError(
                f"the model has a task '{names[-1]}' already ({listed(names[:-1])}): reuse.task=NAME names the later"
            )
        if not (self.origin and self.origin.needs()):
            self.check_pretrained()

    def check_pretrained(self) -> None:
        """Refuse weights of a model that reads texts as other tokens than the one to start from, by an InputError."""
        pretrained = self.pretrained_model()
        if pretrained and pretrained.processing().identity() != self.start_model().processing().identity():
            raise InputError(
                f"reuse.pretrained={pretrained.path} has other dictionaries or BPE codes than the model to start from: "
                f"its weights know other words by the same numbers"
            )

    def _check_numbers(self) -> None:
        counts = {name: getattr(self, name) for name in ("max_tokens", "record_every", "save_every")}
        if min(counts.values()) < 1:
            raise InputError(f"these must be at least 1: {counts}")
        shares = ("dropout", "attention_dropout", "activation_dropout", "label_smoothing")
        if wrong := {name: getattr(self, name) for name in shares if not 0 <= getattr(self, name) < 1}:
            raise InputError(f"these must be at least 0 and below 1: {wrong}")
        if self.learning_rate <= 0 or self.evaluate_every <= 0:
            raise InputError(
                f"training.learning_rate={self.learning_rate} and evaluate_every={self.evaluate_every} must be above 0"
            )
        if self.warmup_updates < 0 or self.clip_norm < 0 or self.weight_decay < 0:
            raise InputError("training.warmup_updates, clip_norm and weight_decay must not be below 0")
        if self.updates is not None and self.updates <= self.warmup_updates:
            raise InputError(
                f"training.updates={self.updates}: the learning rate reaches its peak after "
                f"training.warmup_updates={self.warmup_updates} updates, so there must be more than that"
            )

    def missing(self) -> list[str]:
        """See `Training.missing`."""
        return [*(self.origin.missing() if self.origin else []), *super().missing()]

    def fetch(self) -> None:
        """See `Training.fetch`."""
        if self.origin and self.origin.missing():
            self.origin.fetch()
        super().fetch()

    def epochs_done(self, folder: Path) -> float:
        """See `Training.epochs_done`; where updates are limited, their share that is done, as so many of the epochs."""
        if not self.updates or not self.lacking(folder):
            return super().epochs_done(folder)
        steps = max((record.step for record in read_history(folder)), default=0)
        return max(super().epochs_done(folder), self.epochs * steps / self.updates)

    def checkpoint(self, folder: Path, epoch: float) -> Path:
        """A file in fairseq's format; dictionaries and BPE codes stand beside it."""
        return folder / f"checkpoint{epoch:g}.pt"

    def gates_file(self, folder: Path, epoch: float) -> Path:
        """See `Training.gates_file`."""
        return self.checkpoint(folder, epoch).with_suffix(f".{GATES_FILE}")

    def tasks_file(self, folder: Path, epoch: float) -> Path:
        """See `Training.tasks_file`."""
        return tasks_file(self.checkpoint(folder, epoch))


def _identity(model: FairseqConfig) -> dict[str, Any]:
    """All that determines the weights of a model's latest task and how it reads text, as JSON values."""
    weights = model.weights_file()
    chain = tasks_file(weights)
    tasks = {"tasks": file_digest(chain)} if chain.is_file() else {}
    return {"checkpoint": file_digest(weights), "text": model.processing().identity(), **tasks}
