"""Which tensors of a classifier are its output layer's, and its pooler's where that is within the body."""

from pathlib import Path

import torch
from transformers import AutoModelForSequenceClassification, PreTrainedModel

from study.record.errors import InputError
from study.subjects.huggingface.read_model import read_config


def body_names(model: PreTrainedModel) -> set[str]:
    """The names of the tensors below the output layer."""
    prefix = f"{model.base_model_prefix}."
    return {name for name in model.state_dict() if name.startswith(prefix)}


def own_names(model: PreTrainedModel, *, pooler: bool) -> set[str]:
    """The names of the output layer's tensors, and of the pooler's if that belongs to it."""
    body = body_names(model)
    prefix = f"{model.base_model_prefix}.pooler."
    return {name for name in model.state_dict() if name not in body or (pooler and name.startswith(prefix))}


def require_pooler(model: PreTrainedModel) -> None:
    """Refuse a pooler that is shared where the model has none, by an InputError."""
    if own_names(model, pooler=True) == own_names(model, pooler=False):
        raise InputError(f"reuse.pooler=false has no effect here: {type(model).__name__} has no pooler")


def require_pooler_of(folder: Path) -> None:
    """See `require_pooler`, of the model in a folder, by its config alone: no weight is read."""
    with torch.device("meta"):
        require_pooler(AutoModelForSequenceClassification.from_config(read_config(folder, 1)))
