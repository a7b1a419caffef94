"""A task of a folder of tasks, loaded as a subject: its own tensors over the shared ones, other tasks' heads silent."""

from collections.abc import Collection
from pathlib import Path
from typing import Any

import torch
from transformers import AutoModelForSequenceClassification, PretrainedConfig, PreTrainedModel

from study.masking.gate import Gate
from study.record.errors import InputError
from study.record.training.tasks import TASKS_FILE, TaskChain, TaskRecord
from study.subjects.classifier import Classifier
from study.subjects.huggingface.load_classifier import load_classifier
from study.subjects.huggingface.quiet import quiet
from study.subjects.tasks.head_parts import HeadParts
from study.subjects.tasks.stored import Digests, State, heads_off, read_stored


def load_task(folder: Path, name: str, device: torch.device, *, max_length: int, truncate: bool) -> Classifier:
    """A classifier or, for a task without labels, a regressor, in float32; the heads that are off for it are silent.

    Raises:
        InputError: when the folder is damaged or has no such task, or its weights are not those that were written.
    """
    stored = read_stored(folder, [name])
    task = stored.chain.task(name)

    def read(config: PretrainedConfig) -> PreTrainedModel:
        return build(config, stored.state(name), f"task '{name}' of {folder}")

    options = {"labels": task.labels, "max_length": max_length, "truncate": truncate}
    subject = load_classifier(folder, device, read=read, **options)
    turn_off(subject.module, subject.gate, task, stored.chain, folder / TASKS_FILE)
    subject.silent = frozenset(heads_off(task, stored.chain))
    return subject


def build(config: PretrainedConfig, state: State, what: str) -> PreTrainedModel:
    """A classifier of this config with these tensors, for evaluation.

    Raises:
        InputError: when they do not fit it.
    """
    architecture: Any = AutoModelForSequenceClassification._model_mapping[type(config)]
    with quiet():
        module, info = architecture.from_pretrained(
            None, config=config, state_dict=state, dtype=torch.float32, output_loading_info=True
        )
    wrong = [
        f"{kind.removesuffix('_keys')} {key}" for kind, keys in info.items() for key in sorted(map(str, keys or ()))
    ]
    if wrong:
        raise InputError(f"{what}: {len(wrong)} tensors do not fit {type(module).__name__}: {', '.join(wrong[:3])}")
    return module


@torch.no_grad()
def turn_off(
    module: PreTrainedModel,
    gate: Gate,
    task: TaskRecord,
    chain: TaskChain,
    file: Path,
    uncounted: Collection[str] = (),
) -> None:
    """Make the heads silent that are off for a task, in place, and look whether the weights are those of its record.

    Args:
        module: the model, with the tensors of the task.
        gate: the gate of its subject.
        task: the task.
        chain: all tasks of the model.
        file: where their record was read.
        uncounted: names of tensors that are computed anew on each machine, and are no weights.

    Raises:
        InputError: when they are not, or the heads are not the model's.
    """
    if (own := tuple(map(str, gate.layout.heads))) != chain.heads:
        raise InputError(f"{file} is of a model with {len(chain.heads)} heads, and this one has {len(own)}")
    state = module.state_dict()
    for name, part in HeadParts(module, gate.sites).parts(heads_off(task, chain)).items():
        state[name].copy_(part.silence(state[name]))
    counted = {name: tensor for name, tensor in state.items() if name not in uncounted}
    if Digests().digest(counted) != task.digest:
        raise InputError(
            f"{file}: the weights of task '{task.name}' are not those that it was written with: a file was changed or "
            "damaged"
        )
