"""Models of transformers read from their folders, whatever they are for: config, tokenizer, weights."""

import json
import re
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from torch import nn
from transformers import AutoConfig, AutoTokenizer, PretrainedConfig, PreTrainedModel, PreTrainedTokenizerBase

from study.record.errors import InputError
from study.subjects.huggingface.quiet import hear_once, quiet
from study.subjects.model_files import HEADS_FILE, read_json
from study.subjects.pruned.folder import read_model
from study.subjects.pruned.transformers4 import take_pruned_heads, without_heads

NAMES_OF_OUTPUTS = ("id2label", "label2id", "num_labels", "_num_labels")
"""Fields of a config."""


def read_module(
    folder: Path,
    config: PretrainedConfig,
    auto: Any,
    what: str,
    *,
    warnings: bool = True,
    fresh_seed: int | None = None,
    **options: Any,
) -> PreTrainedModel:
    """The module in a folder with its weights, also where heads were removed from it.

    Args:
        folder: the folder.
        config: its config.
        auto: the class of transformers that reads such models: `AutoModelForSequenceClassification` ...
        what: what messages call such a model: "classifier".
        warnings: let transformers warn while it loads.
        fresh_seed: seed of random weights in the place of those in the folder; None for these.
        options: options of `from_pretrained`; float32 where they name no `dtype`.

    Raises:
        InputError: when the weights cannot be read or do not fit.
    """
    if fresh_seed is not None:
        return _fresh(folder, config, auto, fresh_seed, options.get("dtype", torch.float32))
    if (folder / HEADS_FILE).is_file():
        return _read_pruned(folder, auto, what)
    hear_once()
    chosen = {"dtype": torch.float32, "output_loading_info": True, "local_files_only": True, **options}
    removed = take_pruned_heads(config)
    try:
        with quiet(warnings=warnings):
            if removed:
                architecture: Any = auto._model_mapping[type(config)]
                smaller: Any = without_heads(architecture, removed)
                module, info = smaller.from_pretrained(folder, config=config, **chosen)
                module.__class__ = architecture
            else:
                module, info = auto.from_pretrained(folder, config=config, **chosen)
    except InputError as error:
        raise InputError(f"{folder}: {error}") from error
    except Exception as error:  # safetensors, pickle, json and transformers each raise errors of their own
        raise InputError(f"cannot load the {what} in {folder}: {type(error).__name__}: {error}") from error
    if info["missing_keys"] or info["mismatched_keys"]:
        keys = [*info["missing_keys"], *(str(key) for key in info["mismatched_keys"])]
        raise InputError(
            f"{folder}: the weights lack or misfit {len(keys)} tensors of {type(module).__name__}: {keys[:5]}"
        )
    if layers := sorted(key for key in info["unexpected_keys"] if re.search(r"\.\d+\.", key)):
        raise InputError(f"{folder}: its config leaves {len(layers)} tensors of the layers unused: {layers[:3]}")
    return module


def _fresh(folder: Path, config: PretrainedConfig, auto: Any, seed: int, dtype: torch.dtype) -> PreTrainedModel:
    """A model of this config as its training begins; the state of torch's generator stays as it is."""
    if (folder / HEADS_FILE).is_file() or take_pruned_heads(config):
        raise InputError(f"{folder} is a pruned model: model.untrained=true is for models with all their heads")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return auto.from_config(config, dtype=dtype).eval()


def _read_pruned(folder: Path, auto: Any, what: str) -> PreTrainedModel:
    """A model from which heads were removed."""
    module, known = read_model(folder), auto._model_mapping
    if type(module.config) not in known or type(module) is not known[type(module.config)]:
        raise InputError(f"{folder} holds a {type(module).__name__}, which is no {what}")
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


def read_config(folder: Path, num_labels: int | None, what: str = "classifier") -> PretrainedConfig:
    """The config of a model, which messages call so.

    With a number of labels it has so many outputs, also where it names another number, or names them in a list.

    Raises:
        InputError: when transformers cannot read it.
    """
    settings = read_json(folder / "config.json")
    names = settings.get("id2label")
    try:
        if num_labels is None:
            return AutoConfig.from_pretrained(folder, local_files_only=True)
        if names is None or (isinstance(names, dict) and len(names) == num_labels):
            return AutoConfig.from_pretrained(folder, num_labels=num_labels, local_files_only=True)
        settings = {name: value for name, value in settings.items() if name not in NAMES_OF_OUTPUTS}
        with TemporaryDirectory() as place:
            (Path(place) / "config.json").write_text(json.dumps(settings))
            return AutoConfig.from_pretrained(place, num_labels=num_labels, local_files_only=True)
    except Exception as error:  # transformers raises errors of many kinds
        raise InputError(f"cannot load the {what} in {folder}: {type(error).__name__}: {error}") from error


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
