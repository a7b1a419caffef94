"""The folder of a model that has several tasks, and what each of them computes with.

<folder>/config.json              the architecture, without outputs: each task has its own
         model.safetensors        tensors that tasks share
         tasks.json               a `TaskChain`
         task-NAME.safetensors    tensors that a task has for itself, which stand in the place of shared ones
         tokenizer.json ...       the tokenizer of all
"""

import hashlib
import json
import shutil
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from study.record.errors import InputError
from study.record.training.tasks import TASKS_FILE, TaskChain, TaskRecord, read_tasks, write_tasks
from study.record.units import Head
from study.subjects.huggingface.read_model import NAMES_OF_OUTPUTS
from study.subjects.model_files import WEIGHTS_FILE, read_json, tokenizer_files
from study.subjects.tasks.head_parts import HeadParts

OF_OUTPUTS = (*NAMES_OF_OUTPUTS, "problem_type")
"""Fields of a config that each task has for itself."""

State = dict[str, Tensor]
"""Tensors of a model by the names that its module gives them."""


@dataclass(frozen=True)
class StoredTasks:
    """The tasks of a model and their tensors, on the CPU.

    Attributes:
        chain: the tasks.
        shared: tensors that they share.
        own: tensors that each task has for itself, by its name.
    """

    chain: TaskChain
    shared: State
    own: Mapping[str, State]

    def state(self, name: str) -> State:
        """All tensors of a task's model, those of heads that are off for it among them."""
        return {**self.shared, **self.own[name]}

    def write(self, folder: Path, origin: Path) -> None:
        """Write them into a folder that is there; config and tokenizer are those of the folder that they come from."""
        settings = read_json(origin / "config.json")
        plain = {name: value for name, value in settings.items() if name not in OF_OUTPUTS}
        (folder / "config.json").write_text(json.dumps(plain, indent=2) + "\n", encoding="utf-8")
        for file in tokenizer_files(origin):
            shutil.copyfile(file, folder / file.name)
        write_tasks(self.chain, folder / TASKS_FILE)
        _save(self.shared, folder / WEIGHTS_FILE)
        for task in self.chain.tasks:
            _save(self.own[task.name], folder / task.file)


def own_file(name: str) -> str:
    """The name of the file with the tensors that a task has for itself."""
    return f"task-{name}.safetensors"


def read_stored(folder: Path, tasks: Collection[str] | None = None) -> StoredTasks:
    """The tasks in a folder, with the tensors of some; of all when None.

    Raises:
        InputError: when the folder has none, or a file is missing or damaged.
    """
    chain = read_tasks(folder / TASKS_FILE)
    wanted = [task for task in chain.tasks if tasks is None or task.name in tasks]
    own = {task.name: _load(folder / task.file) if task.file else {} for task in wanted}
    return StoredTasks(chain, _load(folder / WEIGHTS_FILE), own)


def heads_off(task: TaskRecord, chain: TaskChain) -> list[Head]:
    """The heads that a task runs without."""
    return [Head.parse(head) for head, on in zip(chain.heads, task.on, strict=True) if on == "0"]


def silence(state: State, heads: Iterable[Head], parts: HeadParts) -> State:
    """A state in which some heads are silent, and all of their numbers zero: what was taught to them plays no part."""
    return state | {name: part.silence(state[name]) for name, part in parts.parts(list(heads)).items()}


class Digests:
    """Digests of states; each tensor is read once as long as it is the same object."""

    def __init__(self) -> None:
        """Nothing is read yet."""
        self._known: dict[int, tuple[Tensor, str]] = {}

    def digest(self, state: Mapping[str, Tensor]) -> str:
        """The sha256, in hexadecimal digits, of all names and numbers of a state."""
        lines = [f"{name} {self._tensor(tensor)}" for name, tensor in sorted(state.items())]
        return hashlib.sha256("\n".join(lines).encode()).hexdigest()

    def _tensor(self, tensor: Tensor) -> str:
        known = self._known.get(id(tensor))
        if known is None:
            numbers = tensor.detach().cpu().contiguous()
            content = hashlib.sha256(numbers.flatten().view(torch.uint8).numpy().data)
            content.update(f"{tensor.dtype}{list(tensor.shape)}".encode())
            known = self._known[id(tensor)] = (tensor, content.hexdigest())
        return known[1]


def _save(state: State, path: Path) -> None:
    """Write tensors, also those that share their numbers, each by its name."""
    whole = {name: tensor.detach().cpu().clone().contiguous() for name, tensor in state.items()}
    save_file(whole, path, {"format": "pt"})
    path.chmod((path.parent / TASKS_FILE).stat().st_mode)  # the library lets nobody else read it


def _load(path: Path) -> State:
    try:
        return load_file(path)
    except (OSError, SafetensorError) as error:
        raise InputError(f"{path} cannot be read: {error}") from error
