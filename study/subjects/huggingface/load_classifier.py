"""Classifiers of transformers loaded from their folders: the text side alone, or all of it."""

import json
import re
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from torch import nn
from transformers import (
    MODEL_FOR_SEQUENCE_CLASSIFICATION_MAPPING,
    AutoConfig,
    AutoModelForSequenceClassification,
    AutoTokenizer,
    PretrainedConfig,
    PreTrainedModel,
    PreTrainedTokenizerBase,
)

from study.record.errors import InputError
from study.subjects.classifier import Classifier
from study.subjects.classifier_text import ClassifierText
from study.subjects.huggingface.quiet import hear_once, quiet
from study.subjects.model_files import HEADS_FILE, read_json
from study.subjects.pruned.folder import read_model
from study.subjects.pruned.transformers4 import take_pruned_heads, without_heads
from study.subjects.regressor import Regressor

NAMES_OF_OUTPUTS = ("id2label", "label2id", "num_labels", "_num_labels")
"""Fields of a config."""


def load_classifier(
    folder: Path, device: torch.device, *, labels: Sequence[str], max_length: int, truncate: bool
) -> Classifier:
    """Load a model folder in float32, with sdpa attention where the architecture has it; without labels, a regression.

    Raises:
        InputError: when the weights cannot be read or do not fit, or there is no tokenizer.
    """
    pruned = _read_pruned(folder) if (folder / HEADS_FILE).is_file() else None
    config = read_config(folder, len(labels) or 1)
    tokenizer = read_tokenizer(folder, config)
    module = pruned or _read(folder, config)
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


def _read(folder: Path, config: PretrainedConfig) -> PreTrainedModel:
    hear_once()
    options: Any = {"config": config, "dtype": torch.float32, "output_loading_info": True, "local_files_only": True}
    removed = take_pruned_heads(config)
    try:
        with quiet(warnings=True):
            if removed:
                architecture: Any = MODEL_FOR_SEQUENCE_CLASSIFICATION_MAPPING[type(config)]
                smaller: Any = without_heads(architecture, removed)
                module, info = smaller.from_pretrained(folder, **options)
                module.__class__ = architecture
            else:
                module, info = AutoModelForSequenceClassification.from_pretrained(folder, **options)
    except InputError as error:
        raise InputError(f"{folder}: {error}") from error
    except Exception as error:  # safetensors, pickle, json and transformers each raise errors of their own
        raise InputError(f"cannot load the classifier in {folder}: {type(error).__name__}: {error}") from error
    if info["missing_keys"] or info["mismatched_keys"]:
        keys = [*info["missing_keys"], *(str(key) for key in info["mismatched_keys"])]
        raise InputError(
            f"{folder}: the weights lack or misfit {len(keys)} tensors of {type(module).__name__}: {keys[:5]}"
        )
    if layers := sorted(key for key in info["unexpected_keys"] if re.search(r"\.\d+\.", key)):
        raise InputError(f"{folder}: its config leaves {len(layers)} tensors of the layers unused: {layers[:3]}")
    return module


def _read_pruned(folder: Path) -> PreTrainedModel:
    """A model from which heads were removed."""
    module = read_model(folder)
    if not type(module).__name__.endswith("ForSequenceClassification"):
        raise InputError(f"{folder} holds a {type(module).__name__}, which is no classifier")
    return module


def num_positions(module: PreTrainedModel) -> int | None:
    """How many tokens a model has positions for; None where that is not limited (relative positions).

    RoBERTa and its kin count positions from the padding index on, so the first ones of their table are never used.
    """
    positions = getattr(module.config.get_text_config(), "max_position_embeddings", None)
    positions = None if positions == -1 else positions
    for name, table in module.named_modules():
        if name.endswith("position_embeddings") and isinstance(table, nn.Embedding) and table.padding_idx is not None:
            return table.num_embeddings - table.padding_idx - 1
    return positions


def load_text(folder: Path, labels: Sequence[str], *, max_length: int, truncate: bool) -> ClassifierText:
    """The text side of the model in a folder.

    Raises:
        InputError: when its tokenizer cannot be read.
    """
    tokenizer = read_tokenizer(folder, read_config(folder, len(labels) or 1))
    owner = f"the tokenizer in {folder}"
    return ClassifierText(tokenizer, labels, max_length=max_length, truncate=truncate, owner=owner)


def read_config(folder: Path, num_labels: int) -> PretrainedConfig:
    """The config with so many outputs, also where it names another number of labels, or names them in a list.

    Raises:
        InputError: when transformers cannot read it.
    """
    settings = read_json(folder / "config.json")
    names = settings.get("id2label")
    try:
        if names is None or (isinstance(names, dict) and len(names) == num_labels):
            return AutoConfig.from_pretrained(folder, num_labels=num_labels, local_files_only=True)
        settings = {name: value for name, value in settings.items() if name not in NAMES_OF_OUTPUTS}
        with TemporaryDirectory() as place:
            (Path(place) / "config.json").write_text(json.dumps(settings))
            return AutoConfig.from_pretrained(place, num_labels=num_labels, local_files_only=True)
    except Exception as error:  # transformers raises errors of many kinds
        raise InputError(f"cannot load the classifier in {folder}: {type(error).__name__}: {error}") from error


def read_tokenizer(folder: Path, config: PretrainedConfig) -> PreTrainedTokenizerBase:
    """The tokenizer in a model's folder.

    Raises:
        InputError: when it cannot be read, or knows special tokens alone: transformers makes such a one of nothing
            where files are missing.
    """
    try:
        tokenizer = AutoTokenizer.from_pretrained(folder, config=config, local_files_only=True)
    except Exception as error:  # json, tokenizers and transformers each raise errors of their own
        raise InputError(f"cannot load the tokenizer in {folder}: {type(error).__name__}: {error}") from error
    if tokenizer.vocab_size <= len(set(tokenizer.all_special_ids)):
        raise InputError(f"the tokenizer in {folder} knows no word: its vocabulary is missing or empty")
    return tokenizer
