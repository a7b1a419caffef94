"""Where a later task of a classifier starts: the model of the earlier ones, under an output layer of its own."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from transformers import AutoModelForSequenceClassification, PreTrainedModel, PreTrainedTokenizerBase

from study.record.errors import InputError
from study.record.metrics import Task
from study.record.training.tasks import TASKS_FILE, first_chain
from study.reuse.options import LaterTask, Weights
from study.subjects.huggingface.hub import local_folder
from study.subjects.huggingface.quiet import quiet
from study.subjects.huggingface.read_model import read_config, read_module, read_tokenizer
from study.subjects.model_files import HEADS_FILE
from study.subjects.tasks.output_tensors import body_names, own_names, require_pooler
from study.subjects.tasks.stored import State, StoredTasks, read_stored
from study.training.classifier_options import FineTuning
from study.training.initial_classifier import draw_head, pad_token
from study.training.second_task.learner import LaterStart

KNOWN = 3
"""Tensors named where two models are not of one architecture."""


def later_classifier(
    training: FineTuning, labels: Sequence[str]
) -> tuple[PreTrainedModel, PreTrainedTokenizerBase, LaterStart]:
    """The model before the first step, its tokenizer, and the tasks that it has.

    A model of one task is not asked for its heads here: its record names none.

    Raises:
        InputError: when the models to start from are not whole, or do not fit each other or the labels.
    """
    reuse, folder = training.reuse, training.start_folder()
    assert isinstance(reuse, LaterTask), "a training of a later task"
    tasks = read_stored(folder) if (folder / TASKS_FILE).is_file() else _one_task(training, folder)
    state = tasks.state(tasks.chain.latest.name)
    config = read_config(folder, len(labels) or 1)
    tokenizer = read_tokenizer(folder, config)
    model = AutoModelForSequenceClassification.from_config(config, dtype=torch.float32)
    _name_outputs(model, labels)
    if getattr(reuse, "pooler", True) is False:
        require_pooler(model)
    if reuse.body is Weights.pretrained:
        state = pretrained_state(reuse, model, tokenizer)
        tasks = StoredTasks(tasks.chain, state, {})
    _put(model, state, body_names(model), "the model to start from")
    if training.new_head:
        draw_head(model)
    else:
        _put(model, state, model.state_dict().keys() - body_names(model), "training.new_head=false")
    tokenizer.pad_token_id = pad_token(model, tokenizer)
    start = LaterStart(
        folder=folder,
        tasks=tasks,
        kind=training.task,
        labels=tuple(labels),
        outputs=own_names(model, pooler=has_pooler(reuse)),
        pretrained=lambda: pretrained_state(reuse, model, tokenizer),
    )
    return model, tokenizer, start


def has_pooler(reuse: LaterTask) -> bool:
    """Whether a later task has a pooler of its own, where the model has one."""
    return bool(getattr(reuse, "pooler", False))


def pretrained_state(reuse: LaterTask, model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase) -> State:
    """The body of the pre-trained model, by the names of a model of the same architecture.

    Raises:
        InputError: when it is not here, is of another architecture, or reads texts as other tokens.
    """
    folder = local_folder(reuse.pretrained, None)
    if folder is None:
        raise InputError(
            f"model '{reuse.pretrained}' (reuse.pretrained) is neither a folder nor downloaded: run `study fetch` with "
            "measure=train first"
        )
    config = read_config(folder, model.config.num_labels)
    with quiet(), torch.random.fork_rng(devices=[]):  # that it has no output layer is meant
        loaded = type(model).from_pretrained(folder, config=config, dtype=torch.float32, ignore_mismatched_sizes=True)
    state, wanted = loaded.state_dict(), model.state_dict()
    unlike = [
        name for name in sorted(body_names(model)) if name not in state or state[name].shape != wanted[name].shape
    ]
    if unlike or type(config) is not type(model.config):
        raise InputError(
            f"reuse.pretrained={reuse.pretrained} is of another architecture than the model to start from: "
            f"{', '.join(unlike[:KNOWN]) or type(config).__name__}"
        )
    if read_tokenizer(folder, config).get_vocab() != tokenizer.get_vocab():
        raise InputError(
            f"reuse.pretrained={reuse.pretrained} has another tokenizer than the model to start from: its weights "
            "know other tokens by the same numbers"
        )
    return {name: state[name] for name in body_names(model)}


def _one_task(training: FineTuning, folder: Path) -> StoredTasks:
    """A model that has one task, as it was trained."""
    reuse, earlier = training.reuse, training.start_model()
    assert isinstance(reuse, LaterTask), "a training of a later task"
    if (folder / HEADS_FILE).is_file():
        raise InputError(f"heads were removed from the model in {folder}: start from the whole model")
    labels, name = earlier.output_names(), training.task_names()[0]
    config = read_config(folder, len(labels) or 1)
    module = read_module(folder, config, AutoModelForSequenceClassification, "classifier")
    state, own = module.state_dict(), own_names(module, pooler=has_pooler(reuse))
    kind = Task.CLASSIFICATION if labels else Task.REGRESSION
    taught_by = training.origin.training.id if training.origin else ""
    shared = {name: tensor for name, tensor in state.items() if name not in own}
    return StoredTasks(first_chain((), name, kind, labels, taught_by), shared, {name: {n: state[n] for n in own}})


def _name_outputs(model: PreTrainedModel, labels: Sequence[str]) -> None:
    config: Any = model.config
    if labels:
        config.id2label = dict(enumerate(labels))
        config.label2id = {label: i for i, label in enumerate(labels)}
    else:
        config.problem_type = "regression"


@torch.no_grad()
def _put(model: PreTrainedModel, state: Mapping[str, Tensor], names: set[str], what: str) -> None:
    """Give these tensors of a model their numbers.

    Raises:
        InputError: when one is not there, or of another shape.
    """
    own = model.state_dict()
    unlike = [name for name in sorted(names) if name not in state or state[name].shape != own[name].shape]
    if unlike:
        raise InputError(
            f"{what}: {len(unlike)} tensors do not fit {type(model).__name__}: {', '.join(unlike[:KNOWN])}"
        )
    for name in names:
        own[name].copy_(state[name])
