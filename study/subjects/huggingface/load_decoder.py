"""Decoder language models of transformers loaded from their folders: the text side alone, or all of it."""

from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch
from torch import nn
from transformers import AutoModelForCausalLM, PretrainedConfig

from study.record.errors import MissingPackageError
from study.subjects.huggingface.decoder_checks import require_decoder
from study.subjects.huggingface.read_model import num_positions, read_config, read_module, read_tokenizer
from study.subjects.language_model.options import ReadingOptions
from study.subjects.language_model.subject import LanguageModel
from study.subjects.language_model.text import LanguageText

WHAT = "language model"


def load_decoder(
    folder: Path,
    device: torch.device,
    options: ReadingOptions,
    *,
    dtype: str,
    device_map: str | None = None,
    fresh_seed: int | None = None,
) -> LanguageModel:
    """Load a model folder, with sdpa attention where the architecture has it.

    Args:
        folder: the folder.
        device: where the model goes, without a device map.
        options: how texts are read.
        dtype: torch's name of the type of its weights.
        device_map: how accelerate spreads the layers over devices; on one when None.
        fresh_seed: seed of random weights in the place of those in the folder; None for these.

    Raises:
        InputError: when the weights cannot be read or do not fit, or there is no tokenizer.
        MissingPackageError: when accelerate is needed, and not installed.
    """
    if device_map and find_spec("accelerate") is None:
        raise MissingPackageError(f"model.device_map={device_map} needs accelerate: pip install accelerate")
    require_decoder(folder)
    config = read_config(folder, None, WHAT)
    tokenizer = read_tokenizer(folder, config)
    loading: dict[str, Any] = {"dtype": getattr(torch, dtype), **({"device_map": device_map} if device_map else {})}
    module = read_module(folder, config, AutoModelForCausalLM, WHAT, warnings=False, fresh_seed=fresh_seed, **loading)
    if not device_map:
        nn.Module.to(module, device)
        for weight in module.parameters():  # a pruned folder is read in float32; frequencies of positions remain so
            weight.data = weight.data.to(getattr(torch, dtype))
    loaded = f"{type(module).__name__} from {folder}"
    size = module.get_input_embeddings().get_parameter("weight").shape[0]
    text = LanguageText(tokenizer, options, positions=num_positions(module), num_embeddings=size, owner=loaded)
    return LanguageModel(module, text, loaded=loaded)


def load_text(folder: Path, options: ReadingOptions) -> LanguageText:
    """The text side of the model in a folder.

    Raises:
        InputError: when its tokenizer cannot be read, or the options make no sense for it.
    """
    config = read_config(folder, None, WHAT)
    tokenizer = read_tokenizer(folder, config)
    return LanguageText(
        tokenizer,
        options,
        positions=_positions(config),
        num_embeddings=getattr(config.get_text_config(), "vocab_size", None),
        owner=f"the model in {folder}",
    )


def _positions(config: PretrainedConfig) -> int | None:
    """How many tokens a model has positions for by its config; None where that is not limited, or not said."""
    positions = getattr(config.get_text_config(), "max_position_embeddings", None)
    return positions if isinstance(positions, int) and positions > 0 else None
