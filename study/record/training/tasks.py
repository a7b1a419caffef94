"""The tasks of a model that was taught several, one after the other: which heads each runs with, and what is its own.

<training>/free.json         a `FreeHeadsRecord`, written by the job before the first step
<checkpoint>/tasks.json      a `TaskChain`; both are copied to `results/trainings/<name>-<id>/`
<results>/<model>/<data>/<setting id>/task-<id of the training>.json      a `TaskResult`, of one task on some data
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from study.record.errors import InputError, listed
from study.record.files import read_sealed, write_sealed

TASKS_FILE = "tasks.json"
FREE_FILE = "free.json"
RESULT_FILES = "task-*.json"


@dataclass(frozen=True)
class TaskRecord:
    """A task of a model.

    Attributes:
        name: name of the task.
        kind: what it does with texts, a `Task` by name.
        labels: names of its outputs, in order; none of a regression or a translation.
        training: id of the training that taught it; empty for a model that was not trained here.
        on: mask of the heads that it runs with, a text of 0 and 1 over the whole layout.
        taught: addresses of the heads that it was taught to; all of its own where it came first.
        file: file with the tensors that it has for itself, beside the shared weights; empty where it has none.
        method: name of the method in `conf/reuse`; empty for the first task.
        words: the method in words, see `Reuse.words`.
        options: its options, as the identity of the training has them.
        parameters: numbers that moved while it was taught, those of the output layer among them.
        output_parameters: numbers of its own output layer and pooler.
        updates: updates in which it was taught.
        seed: seed of its training.
        freed: heads that were free for it; None for the first, and where its method knows nothing of free heads.
        digest: sha256 of all numbers that it computes with, those of heads that are off for it as zero.
    """

    name: str
    kind: str
    labels: tuple[str, ...]
    training: str
    on: str
    taught: tuple[str, ...]
    file: str = ""
    method: str = ""
    words: str = ""
    options: Mapping[str, Any] | None = None
    parameters: int = 0
    output_parameters: int = 0
    updates: int = 0
    seed: int | None = None
    freed: tuple[str, ...] | None = None
    digest: str = ""


@dataclass(frozen=True)
class TaskChain:
    """The tasks of a model, in the order in which they were taught.

    Attributes:
        heads: addresses of the model's heads, in the order of a mask.
        tasks: the tasks.
        exact: whether every task but the last is kept to the last bit.
    """

    heads: tuple[str, ...]
    tasks: tuple[TaskRecord, ...]
    exact: bool = True

    @property
    def latest(self) -> TaskRecord:
        """The task that was taught last."""
        return self.tasks[-1]

    @property
    def holders(self) -> tuple[TaskRecord, ...]:
        """The tasks that run with the heads that can be freed.

        The first of them was taught to these heads, or all; those after it were taught to no head, and share them.
        """
        first = max((i for i, task in enumerate(self.tasks) if task.taught), default=0)
        return self.tasks[first:]

    def candidates(self) -> tuple[str, ...]:
        """The heads that can be freed: those that the last task with heads of its own was taught to, as in a mask.

        They are on in the latest task.
        """
        own = set(self.holders[0].taught or self.heads)
        return tuple(head for head, on in zip(self.heads, self.latest.on, strict=True) if on == "1" and head in own)

    def task(self, name: str) -> TaskRecord:
        """The task of a name; the latest where it is empty.

        Raises:
            InputError: for a task that the model does not have.
        """
        if not name:
            return self.tasks[-1]
        found = [task for task in self.tasks if task.name == name]
        if not found:
            raise InputError(f"there is no task '{name}': the model has {listed([task.name for task in self.tasks])}")
        return found[0]


def first_chain(
    heads: Sequence[str], name: str, kind: str, labels: Sequence[str] = (), training: str = ""
) -> TaskChain:
    """The tasks of a model that has one, which runs with all of its heads."""
    own = tuple(heads)
    return TaskChain(own, (TaskRecord(name, kind, tuple(labels), training, on="1" * len(own), taught=own),))


@dataclass(frozen=True)
class FreeHeadsRecord:
    """The heads that are free for a later task, found on the model before its first step.

    Attributes:
        training: id of the later task's training.
        task: name of the model's latest task, whose heads they are.
        heads: addresses of the model's heads, in the order of a mask.
        candidates: addresses of the heads that could be freed, in the order of a mask, see `TaskChain.candidates`.
        freed: addresses of those that are, in the order in which they go.
        before: mask of the heads that the latest task ran with until now.
        on: that mask without the freed heads.
        curve: id of the curve along the order that says which heads go; empty where none does.
        cost: what the latest task's score on the examples of the order is lower by under `on`, in its unit; None where
            it was not computed, as it gives no head.
    """

    training: str
    task: str
    heads: tuple[str, ...]
    candidates: tuple[str, ...]
    freed: tuple[str, ...]
    before: str
    on: str
    curve: str = ""
    cost: float | None = None


@dataclass(frozen=True)
class KeptProof:
    """Whether an earlier task's outcomes are those of its masked model, as it was before the later task.

    Attributes:
        masked: id of the setting of the model before, whose rows under the mask are compared.
        mask: that mask: free heads off.
        rows: examples that were compared.
        unlike: examples that differ in any column.
        largest: largest difference of a number.
        contradicting: examples that differ by more than rounding explains: on a CPU all that differ at all. None in a
            record of before this was told.
    """

    masked: str
    mask: str
    rows: int
    unlike: int
    largest: float
    contradicting: int | None = None


@dataclass(frozen=True)
class TaskResult:
    """Where a task stands in the chain that a setting's model is of.

    Attributes:
        task: the task that the setting's rows are of.
        latest: the task that was taught last.
        chain: ids of the trainings of all tasks, in order; empty where not trained here.
        start: id of the setting of the model before the latest task was taught, on the same data; None for that task
            where it has an output layer of its own, without which nothing could do it.
        proof: whether an earlier task is kept to the last bit; None for the latest, and where it need not be.
    """

    task: TaskRecord
    latest: TaskRecord
    chain: tuple[str, ...]
    start: str | None = None
    proof: KeptProof | None = None


def write_tasks(chain: TaskChain, path: Path) -> None:
    """Write the tasks of a model."""
    write_sealed(path, asdict(chain))


def read_tasks(path: Path) -> TaskChain:
    """The tasks of a model.

    Raises:
        InputError: for a file that is not there, cannot be read, or is none.
    """
    stored = _stored(path, "tasks", f"{path.parent} is a model of one task")
    try:
        tasks = tuple(_task(task) for task in stored["tasks"])
        return TaskChain(tuple(stored["heads"]), tasks, stored["exact"])
    except (ValueError, TypeError, KeyError) as error:
        raise InputError(f"{path} is no whole record of tasks: {error}") from error


def write_free(record: FreeHeadsRecord, path: Path) -> None:
    """Write which heads are free for a later task."""
    write_sealed(path, asdict(record))


def read_free(path: Path) -> FreeHeadsRecord:
    """Which heads are free for a later task.

    Raises:
        InputError: for a file that is not there, cannot be read, or is none.
    """
    stored = _stored(path, "free heads", "`measure=train` with a later task writes one before its first step")
    try:
        return FreeHeadsRecord(**{name: _as_tuple(value) for name, value in stored.items()})
    except (ValueError, TypeError, KeyError) as error:
        raise InputError(f"{path} is no whole record of free heads: {error}") from error


def result_file(training: str) -> str:
    """The name of the file that says where a task stands among those of the latest training with this id.

    Equal weights are one setting, which may be of several trainings: each has a file of its own.
    """
    return RESULT_FILES.replace("*", training)


def read_results(folder: Path) -> list[TaskResult]:
    """Where the task of a setting stands, for each training that it is of.

    Raises:
        InputError: for a file that cannot be read.
    """
    return [read_result(path) for path in sorted(folder.glob(RESULT_FILES))]


def write_result(result: TaskResult, path: Path) -> None:
    """Write where a task stands."""
    write_sealed(path, asdict(result))


def read_result(path: Path) -> TaskResult:
    """Where a task stands.

    Raises:
        InputError: for a file that is not there, cannot be read, or is none.
    """
    stored = _stored(path, "a task's result", f"{path.parent} has none")
    try:
        proof = None if stored["proof"] is None else KeptProof(**stored["proof"])
        task, latest = _task(stored["task"]), _task(stored["latest"])
        return TaskResult(task, latest, tuple(stored["chain"]), stored["start"], proof)
    except (ValueError, TypeError, KeyError) as error:
        raise InputError(f"{path} is no whole record of a task's result: {error}") from error


def _stored(path: Path, what: str, otherwise: str) -> Any:
    if not path.is_file():
        raise InputError(f"there is no record of {what} at {path}: {otherwise}")
    try:
        return read_sealed(path)
    except (ValueError, TypeError, OSError) as error:
        raise InputError(f"{path} is no whole record of {what}: {error}") from error


def _task(stored: Mapping[str, Any]) -> TaskRecord:
    return TaskRecord(**{name: _as_tuple(value) for name, value in stored.items()})


def _as_tuple(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value
