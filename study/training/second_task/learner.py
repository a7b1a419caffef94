"""A later task in a loop of updates: what moves, which heads are on, and that all else is still."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import Tensor
from transformers import PreTrainedModel

from study.masking.gate import Gate
from study.record.errors import InputError, listed
from study.record.metrics import Task
from study.record.training.tasks import FREE_FILE, FreeHeadsRecord, TaskChain, TaskRecord, read_free
from study.record.units import Head, parse_mask
from study.reuse.options import FreeHeads, LaterTask, Weights
from study.subjects.tasks.head_parts import HeadParts
from study.subjects.tasks.stored import Digests, State, StoredTasks, heads_off, own_file, silence
from study.training.callbacks import CheckpointSaver
from study.training.second_task.free_slices import plain_state, require_still
from study.training.second_task.method import Method
from study.training.second_task.methods import make_method
from study.training.trainer import Callback
from study.training.training import Training

Result = TypeVar("Result")


@dataclass(frozen=True)
class LaterStart:
    """What a later task begins with.

    Attributes:
        folder: folder of the model that has the earlier tasks.
        tasks: the tasks that it has; the record of a model of one task need not name its heads.
        kind: what the later task does with texts.
        labels: names of its outputs, in order; none where it has no labels.
        outputs: names of the tensors that are its own and move, whatever the method: its output layer, a pooler.
        pretrained: gives the tensors of the pre-trained model by the names of this one's.
        uncounted: names of tensors that are computed anew on each machine, and are no weights.
    """

    folder: Path
    tasks: StoredTasks
    kind: Task
    labels: tuple[str, ...]
    outputs: Collection[str]
    pretrained: Callable[[], State]
    uncounted: Collection[str] = ()


@dataclass
class TaskLearner(Callback):
    """A later task while it is taught.

    Attributes:
        training: the training.
        reuse: its options of reuse.
        start: what it begins with, with the heads of the model in the record of its tasks.
        model: the model.
        gate: the gate of its certified subject.
        heads: where the numbers of its heads are.
        free: the heads that are free; None where they play no part.
        method: what moves beside the output layer.
        before: all tensors before the first step, on the CPU.
    """

    training: Training
    reuse: LaterTask
    start: LaterStart
    model: PreTrainedModel
    gate: Gate
    heads: HeadParts
    free: FreeHeadsRecord | None
    method: Method
    before: Mapping[str, Tensor]

    @property
    def tasks(self) -> StoredTasks:
        """The tasks that the model has, as they were before."""
        return self.start.tasks

    @property
    def freed(self) -> tuple[str, ...] | None:
        """The heads that are free; None where they play no part."""
        return self.free.freed if self.free else None

    @property
    def on(self) -> str:
        """The mask of the heads that are on while the later task is taught, and when it is used."""
        masks = [task.on for task in self.tasks.chain.tasks]
        earlier = ["1" if "1" in column else "0" for column in zip(*masks, strict=True)]
        off = set() if self.reuse.free_on else set(self.freed or ())
        return _without("".join(earlier), off, self.tasks.chain.heads)

    def state_dict(self) -> dict[str, Any]:
        """See `Callback.state_dict`: the free heads, by which a saved state is of this training."""
        return {"freed": list(self.freed or ())}

    def refuse_state(self, state: dict[str, Any]) -> None:
        """See `Callback.refuse_state`.

        Raises:
            InputError: when the state was saved with other free heads than those that are written now.
        """
        freed = self.freed or ()
        saved = state.get("freed", freed)  # a state of an earlier version has none, and goes on unasked
        if unlike := set(saved) ^ set(freed):
            raise InputError(
                f"the training began with other free heads than {FREE_FILE} in its folder names now: they differ in "
                f"{listed(sorted(unlike))}. Put the file back as it was, or delete the folder and train anew"
            )

    def under_mask(self, forward: Callable[[], Result]) -> Result:
        """What a pass of the model gives with the heads that are on."""
        if "0" not in self.on:
            return forward()
        mask = torch.from_numpy(parse_mask(self.on, self.gate.layout)).float()
        with self.gate.masked(mask[None].to(self.model.device)):
            return forward()

    def stored(self, updates: int) -> StoredTasks:
        """The tasks after so many updates, the later one among them.

        Raises:
            InputError: when a number has moved that was to be still.
        """
        found, uncounted = self.method.state(self.model), self.start.uncounted
        state = {name: tensor.cpu() for name, tensor in found.items() if name not in uncounted}
        moved = self.method.moved(self.model)
        require_still(self.before, state, self.method.parts, moved)
        name = self.training.task_names()[-1]
        shared = self._shared(state)
        own = {earlier: tensors for earlier, tensors in self.tasks.own.items() if self._keeps}
        own[name] = {n: tensor for n, tensor in state.items() if n not in shared or not torch.equal(tensor, shared[n])}
        stored = StoredTasks(self._chain(name, updates), shared, own)
        return replace(stored, chain=_with_digests(stored, self.heads))

    @property
    def _keeps(self) -> bool:
        """Whether the earlier tasks stay in the folder."""
        return self.reuse.body is Weights.earlier

    def _shared(self, state: State) -> State:
        """The tensors that tasks share from now on."""
        if not self.reuse.keeps_earlier:
            return {name: state[name] for name in self.tasks.shared}
        moving = {name: part for name, part in self.method.parts.items() if name in self._common}
        shared = self.tasks.shared
        return shared | {name: part.put(shared[name], part.read(state[name])) for name, part in moving.items()}

    @property
    def _common(self) -> set[str]:
        """Names of the shared tensors that the latest task has none of its own for."""
        latest = self.tasks.own.get(self.tasks.chain.latest.name, {}) if self.tasks.chain.tasks else {}
        return self.tasks.shared.keys() - latest.keys()

    def _chain(self, name: str, updates: int) -> TaskChain:
        """The record of the tasks, those that ran with the heads that were freed without these."""
        chain, reuse = self.tasks.chain, self.reuse
        taken = set(self.freed or ()) if reuse.takes_heads else set[str]()
        holders = {task.name for task in chain.holders}
        earlier = [
            replace(task, on=_without(task.on, taken, chain.heads)) if task.name in holders else task
            for task in (chain.tasks if self._keeps else ())
        ]
        moving = [parameter.numel() for parameter in self.model.parameters() if parameter.requires_grad]
        later = TaskRecord(
            name=name,
            kind=self.start.kind,
            labels=self.start.labels,
            training=self.training.id,
            on=self.on,
            taught=(self.freed or ()) if reuse.takes_heads else (),
            method=reuse.name,
            words=reuse.words(),
            options=reuse.identity(),
            parameters=sum(moving),
            output_parameters=sum(self.before[n].numel() for n in self.start.outputs),
            updates=updates,
            seed=self.training.seed,
            freed=self.freed,
        )
        files = [replace(task, file=own_file(task.name)) for task in (*earlier, later)]
        return replace(chain, tasks=tuple(files), exact=chain.exact and reuse.keeps_earlier)


@dataclass
class TasksSaver(CheckpointSaver):
    """Saves all tasks of the model in one folder.

    Attributes:
        learner: what teaches it the latest.
    """

    learner: TaskLearner = field(kw_only=True)

    def write(self, folder: Path, updates: int) -> None:
        """See `CheckpointSaver.write`; nothing is written where a number has moved that was to be still."""
        self.learner.stored(updates).write(folder, self.learner.start.folder)


def task_learner(
    training: Training, model: PreTrainedModel, start: LaterStart, gate: Gate, folder: Path
) -> TaskLearner:
    """What teaches a later task to a model; all of it but what the method moves is frozen from now on.

    Args:
        training: the training.
        model: the model before the first step.
        start: what it begins with besides.
        gate: the gate of its certified subject.
        folder: folder of the training, in which a job has written the free heads.

    Raises:
        InputError: when these are needed, and not there or not the model's.
    """
    reuse = training.reuse
    assert isinstance(reuse, LaterTask), "a training of a later task"
    gate.forget_mlps()  # they stay on, and multiplying them would take time
    chain = with_heads(start.tasks.chain, tuple(map(str, gate.layout.heads)))
    start = replace(start, tasks=replace(start.tasks, chain=chain))
    free = read_free(folder / FREE_FILE) if reuse.uses_free_heads else None
    if free:
        require_candidates(free, chain, training.id, takes=reuse.takes_heads)
    heads, freed = HeadParts(model, gate.sites), [Head.parse(head) for head in free.freed] if free else []
    heads.parts(freed if reuse.takes_heads or not reuse.free_on else [])  # refuse now what could not be saved later
    if isinstance(reuse, FreeHeads):
        _begin_heads(reuse, model, start, heads, freed)
    state = plain_state(model).items()
    before = {name: tensor.cpu().clone() for name, tensor in state if name not in start.uncounted}
    model.requires_grad_(requires_grad=False)
    method = make_method(reuse)
    method.begin(model, heads, freed)
    for name, parameter in model.named_parameters():
        parameter.requires_grad_(parameter.requires_grad or name in start.outputs)
    return TaskLearner(training, reuse, start, model, gate, heads, free, method, before)


@torch.no_grad()
def _begin_heads(
    reuse: FreeHeads, model: PreTrainedModel, start: LaterStart, heads: HeadParts, free: list[Head]
) -> None:
    """Give free heads the numbers that they start from."""
    state = model.state_dict()
    if reuse.heads_from is Weights.pretrained:
        other = start.pretrained()
        for name, part in heads.parts(free, biases=reuse.biases).items():
            state[name].copy_(part.put(state[name], part.read(other[name]).to(state[name].device)))
    if reuse.heads_from is Weights.zero_output:
        for name, part in heads.outputs(free).items():
            state[name].copy_(part.silence(state[name]))


def _without(on: str, off: Collection[str], heads: Sequence[str]) -> str:
    """A mask in which some heads are off besides."""
    return "".join("0" if head in off else one for head, one in zip(heads, on, strict=True))


def with_heads(chain: TaskChain, heads: tuple[str, ...]) -> TaskChain:
    """The tasks of a model of which these are the heads; one that had one task ran with all of them.

    Raises:
        InputError: when the record is of other heads.
    """
    if not chain.heads:
        only = replace(chain.latest, on="1" * len(heads), taught=heads)
        return replace(chain, heads=heads, tasks=(only,))
    if chain.heads != heads:
        raise InputError(f"the tasks are of a model with {len(chain.heads)} heads, and this one has {len(heads)}")
    return chain


def require_candidates(free: FreeHeadsRecord, chain: TaskChain, training: str, *, takes: bool) -> None:
    """Refuse free heads that were found for another training, or on another model.

    Args:
        free: the free heads.
        chain: the tasks that the model has.
        training: id of the later task's training.
        takes: whether its method teaches them, so that there must be some.

    Raises:
        InputError: says what is wrong.
    """
    if free.training != training:
        raise InputError(f"the free heads were found for training {free.training}, this is {training}")
    if free.heads != chain.heads or free.before != chain.latest.on:
        raise InputError(f"the free heads were found on another model than that of task '{chain.latest.name}'")
    if takes and not free.freed:
        raise InputError(f"no head of task '{chain.latest.name}' is free, and none can be taught another task")
    if strange := [head for head in free.freed if head not in chain.candidates()]:
        raise InputError(
            f"{listed(strange)} cannot be freed: task '{chain.holders[0].name}' has {listed(chain.candidates())}"
        )


def _with_digests(stored: StoredTasks, heads: HeadParts) -> TaskChain:
    """The record of tasks, with what each computes with."""
    digests, chain = Digests(), stored.chain
    told = [
        replace(task, digest=digests.digest(silence(stored.state(task.name), heads_off(task, chain), heads)))
        for task in chain.tasks
    ]
    return replace(chain, tasks=tuple(told))
