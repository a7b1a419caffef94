"""Classifiers of transformers loaded from their folders: the text side alone, or all of it."""

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import nn
from transformers import AutoModelForSequenceClassification, PretrainedConfig, PreTrainedModel

from study.record.errors import InputError
from study.subjects.classifier import Classifier
from study.subjects.classifier_text import ClassifierText
from study.subjects.huggingface.read_model import num_positions, read_config, read_module, read_tokenizer
from study.subjects.model_files import HEADS_FILE
from study.subjects.regressor import Regressor


def load_classifier(
    folder: Path,
    device: torch.device,
    *,
    labels: Sequence[str],
    max_length: int,
    truncate: bool,
    fresh_seed: int | None = None,
    read: Callable[[PretrainedConfig], PreTrainedModel] | None = None,
) -> Classifier:
    """Load a model folder in float32, with sdpa attention where the architecture has it; without labels, a regression.

    With a seed the weights are random, and those in the folder are not read. `read` gives the module in another way.

    Raises:
        InputError: when the weights cannot be read or do not fit, or there is no tokenizer.
    """
    config = read_config(folder, len(labels) or 1)
    options: dict[str, Any] = {"auto": AutoModelForSequenceClassification, "what": "classifier"}
    read = read or partial(read_module, folder, fresh_seed=fresh_seed, **options)
    is_pruned = (folder / HEADS_FILE).is_file()
    pruned = read(config) if is_pruned else None  # what it holds is said before its tokenizer is read
    tokenizer = read_tokenizer(folder, config)
    module = pruned or read(config)
    allowed = num_positions(module)
    if allowed is not None and max_length > allowed:
        raise InputError(
            f"model.max_length={max_length}, but {folder} has positions for {allowed} tokens: choose "
            f"model.max_length={allowed}"
        )
    if labels:
        module.config.id2label = dict(enumerate(labels))
        module.config.label2id = {label: i for i, label in enumerate(labels)}
    loaded = f"{type(module).__name__} from {folder}"
    nn.Module.to(module, device)
    kind = Classifier if labels else Regressor
    return kind(module, tokenizer, labels=labels, max_length=max_length, truncate=truncate, loaded=loaded)


def load_text(folder: Path, labels: Sequence[str], *, max_length: int, truncate: bool) -> ClassifierText:
    """The text side of the model in a folder.

    Raises:
        InputError: when its tokenizer cannot be read.
    """
    tokenizer = read_tokenizer(folder, read_config(folder, len(labels) or 1))
    owner = f"the tokenizer in {folder}"
    return ClassifierText(tokenizer, labels, max_length=max_length, truncate=truncate, owner=owner)
