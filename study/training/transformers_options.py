"""Options of training a model of transformers by gradient steps, whatever its task."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from omegaconf import MISSING

from study.gates.options import LearnedGates
from study.record.errors import InputError, listed
from study.record.files import is_folder_name, name_of, short_hash
from study.record.training.gates import GATES_FILE
from study.record.training.tasks import TASKS_FILE, read_tasks
from study.reuse.options import LaterTask, Weights
from study.subjects.huggingface.hub import download, local_folder
from study.subjects.model_files import model_digests, require_tokenizer
from study.subjects.tasks.alike import require_alike
from study.training.training import Training

SEEDS = ("seed", "weights_seed", "order_seed")
"""Options that decide together what is random."""


@dataclass(kw_only=True)
class TransformersTraining(Training):
    """How the weights of a model of transformers are found; the defaults are the paper's for BERT on MNLI.

    AdamW; biases and norms do not decay. The learning rate rises linearly during the warm-up and then falls linearly to
    0. A batch holds texts of similar length; batches come in random order.

    Attributes:
        weights_seed: seed of the weights that are random before the first step: a new output layer, or all of a new
            model; none: `seed`.
        order_seed: seed of the order of the examples and of dropout; none: `seed`.
        max_length: longest input in tokens; texts are cut there.
        batch_size: examples a step.
        learning_rate: peak of the learning rate.
        warmup: share of the steps in which the learning rate rises.
        weight_decay: AdamW's weight decay.
        clip_norm: largest norm of a step's gradient.
        evaluate_every: epochs between two evaluations on the dev data; there is one at each checkpoint besides.
        record_every: steps between two records of the training loss in the history.
        save_every: steps after which what a killed training goes on from is written; every few minutes it is besides.
        threads: CPU threads; 0: those of the job. The last bits of the weights depend on it.
    """

    epochs: int = 3
    seed: int = 42
    weights_seed: int | None = None
    order_seed: int | None = None
    max_length: int = 128
    batch_size: int = 32
    learning_rate: float = 2e-5
    warmup: float = 0.1
    weight_decay: float = 0.01
    clip_norm: float = 1.0
    evaluate_every: float = 0.5
    record_every: int = 50
    save_every: int = 1000
    threads: int = 0

    @property
    def seed_of_weights(self) -> int:
        """The seed of the weights that are random before the first step."""
        return self.seed if self.weights_seed is None else self.weights_seed

    @property
    def seed_of_order(self) -> int:
        """The seed of the order of the examples and of dropout."""
        return self.seed if self.order_seed is None else self.order_seed

    def other_seeds(self) -> dict[str, int]:
        """See `Training.other_seeds`."""
        given = {"weights_seed": self.weights_seed, "order_seed": self.order_seed}
        return {name: seed for name, seed in given.items() if seed is not None}

    def identity(self) -> dict[str, Any]:
        """See `Training.identity`; trainings with the same two seeds are one, whichever options say so."""
        identity = {name: value for name, value in super().identity().items() if name not in SEEDS}
        weights, order = self.seed_of_weights, self.seed_of_order
        return {**identity, "seed": weights, **({} if weights == order else {"order_seed": order})}

    def check(self) -> None:
        """See `Training.check`."""
        super().check()
        counts = {name: getattr(self, name) for name in ("max_length", "batch_size", "record_every", "save_every")}
        if min(counts.values()) < 1:
            raise InputError(f"these must be at least 1: {counts}")
        if not 0 < self.warmup < 1 or self.evaluate_every <= 0 or self.learning_rate <= 0:
            raise InputError(
                f"training.warmup={self.warmup} must be between 0 and 1, evaluate_every={self.evaluate_every} and "
                f"learning_rate={self.learning_rate} above 0"
            )

    def checkpoint(self, folder: Path, epoch: float) -> Path:
        """A folder in the format of transformers."""
        return folder / f"epoch-{epoch:g}"

    def gates_file(self, folder: Path, epoch: float) -> Path:
        """See `Training.gates_file`."""
        return self.checkpoint(folder, epoch) / GATES_FILE

    def tasks_file(self, folder: Path, epoch: float) -> Path:
        """See `Training.tasks_file`."""
        return self.checkpoint(folder, epoch) / TASKS_FILE


@dataclass(kw_only=True)
class Tuning(TransformersTraining):
    """A trained model is trained further; it is one of transformers, or a checkpoint of a training here.

    Attributes:
        start: folder or hub name of that model; empty with an origin.
        origin: in place of `start`, a model that is trained here, an entry of `conf/model`.
        revision: commit, tag or branch on the hub.
        scratch: begin with random weights in place of that model's, everything else the same: the control that tells
            which part of a result is owed to what the model has learned before. Heads that are given stay those that
            the trained model has.
    """

    start: str = MISSING
    origin: Any = None  # a `TrainedModel`, of a module above this one
    revision: str | None = None
    scratch: bool = False

    def identity(self) -> dict[str, Any]:
        """See `Training.identity`; what is trained here is known before it is there."""
        identity = {name: value for name, value in super().identity().items() if name != "scratch" or value}
        return {**identity, "start": self._start_identity(), **self._later_identity()}

    def _later_identity(self) -> dict[str, Any]:
        """What a later task depends on besides: the tasks by name, and the weights of a pre-trained model."""
        if not isinstance(self.reuse, LaterTask):
            return {}
        return {"tasks": self.task_names(), **self._pretrained_identity()}

    def _pretrained_identity(self) -> dict[str, Any]:
        folder = self._pretrained_folder()
        return {"pretrained": model_digests(folder)} if folder else {}

    def task_names(self) -> list[str]:
        """The names of the tasks that the model has at the end, in the order in which they were taught."""
        assert isinstance(self.reuse, LaterTask), "a training of a later task"
        later = self.reuse.task or self.train.name.removesuffix("_train")
        return [later] if self.reuse.body is Weights.pretrained else [*self.earlier_names(), later]

    def earlier_names(self) -> list[str]:
        """The names of the tasks that the model to start from has."""
        assert isinstance(self.reuse, LaterTask), "a training of a later task"
        if self.origin:
            origin = self.origin.training
            return origin.task_names() if origin.reuse.has_task else [self.reuse.earlier or self.origin.training_name]
        file = self.start_folder() / TASKS_FILE
        return (
            [task.name for task in read_tasks(file).tasks]
            if file.is_file()
            else [self.reuse.earlier or name_of(self.start)]
        )

    def _pretrained_folder(self) -> Path | None:
        """Where the pre-trained model is that weights of a later task are taken from; None where it is not here."""
        path = self.reuse.pretrained if isinstance(self.reuse, LaterTask) else ""
        return local_folder(path, None) if path else None

    def check(self) -> None:
        """See `Training.check`."""
        super().check()
        if bool(self.start) == bool(self.origin):
            raise InputError(
                "training.start names a model to start from, training.origin one that is trained here: give one of them"
            )
        if self.scratch and isinstance(self.gates, LearnedGates):
            raise InputError(
                f"training.scratch=true begins with random weights, and gates={self.gates.name} learns which heads of "
                f"a trained model matter: scratch is for the same heads, trained anew (gates=kept), or all (gates=none)"
            )
        self._check_tasks()

    def _check_tasks(self) -> None:
        """Refuse what does not go with a model of several tasks, as far as that is here."""
        folder = None if self.origin else local_folder(self.start, self.revision)
        several = (self.origin and self.origin.training.reuse.has_task) or (folder and (folder / TASKS_FILE).is_file())
        if not self.reuse.has_task:
            if several:
                raise InputError(
                    "the model to start from has several tasks, of which no other training knows: "
                    "model.training.reuse=free_heads teaches it another"
                )
            return
        if self.scratch or self.gates.has_gates:
            what = "training.scratch=true" if self.scratch else f"gates={self.gates.name}"
            raise InputError(
                f"{what} does not go with reuse={self.reuse.name}, which teaches a later task: leave one out"
            )
        if self.origin and getattr(self.origin, "task_name", ""):
            raise InputError(
                "training.origin.task_name: a later task is taught to the model as its latest task has it: leave it out"
            )
        if self.origin or folder:
            self._check_names()
        if folder and (other := self._pretrained_folder()) and isinstance(self.reuse, LaterTask):
            require_alike(folder, other, f"reuse.pretrained={self.reuse.pretrained}")

    def _check_names(self) -> None:
        names = self.task_names()
        for option, name in zip(["earlier"] * (len(names) - 1) + ["task"], names, strict=True):
            if not is_folder_name(name):
                raise InputError(f"reuse.{option}={name}: a task is named by letters, digits and . _ - +")
        if names[-1] in names[:-1]:
            raise InputError(
                f"the model has a task '{names[-1]}' already ({listed(names[:-1])}): reuse.task=NAME names the later"
            )

    def missing(self) -> list[str]:
        """See `Training.missing`."""
        more = self._missing_pretrained() + super().missing()
        if self.origin:
            return [*self.origin.missing(), *more]
        here = local_folder(self.start, self.revision)
        return [*([] if here else [f"model {self.start} from the Hugging Face hub"]), *more]

    def _missing_pretrained(self) -> list[str]:
        path = self.reuse.pretrained if isinstance(self.reuse, LaterTask) else ""
        return [f"model {path} from the Hugging Face hub"] if path and not self._pretrained_folder() else []

    def fetch(self) -> None:
        """See `Training.fetch`."""
        if self.origin:
            self.origin.fetch()
        elif not local_folder(self.start, self.revision):
            download(self.start, self.revision)
        if isinstance(self.reuse, LaterTask) and self._missing_pretrained():
            download(self.reuse.pretrained, None)
        super().fetch()

    def initial(self) -> str:
        """See `Training.initial`; a new output layer, whatever its seed, has no heads."""
        drawn = {"scratch": self.seed_of_weights} if self.scratch else {}
        return short_hash({"start": self._start_identity(), **drawn, **self._mixed()})

    def _mixed(self) -> dict[str, Any]:
        """What a later task's heads start from besides the model to start from, as JSON values."""
        if not isinstance(self.reuse, LaterTask):
            return {}
        heads_from = getattr(self.reuse, "heads_from", Weights.earlier)
        if {heads_from, self.reuse.body} == {Weights.earlier}:
            return {}
        mixed = {"heads_from": str(heads_from), "body": str(self.reuse.body), **self._pretrained_identity()}
        return {**mixed, "free": self.reuse.identity()}

    def _start_identity(self) -> dict[str, Any]:
        """All that determines the weights that it starts from, as JSON values."""
        if self.origin:
            return self.origin.training_identity()
        start = model_digests(self.start_folder())
        require_tokenizer(self.start_folder())
        return start

    def start_folder(self) -> Path:
        """Where the model to start from is.

        Raises:
            InputError: when it is not on this machine.
        """
        if self.origin:
            return self.origin.trained_checkpoint()
        folder = local_folder(self.start, self.revision)
        if folder is None:
            raise InputError(
                f"model '{self.start}' is neither a folder nor downloaded: run `study fetch` with measure=train first"
            )
        return folder
