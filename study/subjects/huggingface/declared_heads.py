"""How many heads a model has by its config.json, before any weight of it is read."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

LAYERS = (("num_hidden_layers", "num_attention_heads"), ("n_layers", "n_heads"), ("n_layer", "n_head"))
"""Names of the numbers of layers, and of heads in each, in models of one stack."""


def declared_heads(folder: Path) -> int | None:
    """The heads of a model in a folder of transformers, as its config declares them.

    Returns:
        None where there is no config, or it does not say it in a usual way: the model itself knows.
    """
    try:
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return _heads(config) if isinstance(config, dict) else None


def _heads(config: Mapping[str, Any]) -> int | None:
    if config.get("pruned_heads") or config.get("is_encoder_decoder") or "decoder_layers" in config:
        return None
    found = [(config.get(layers), config.get(heads)) for layers, heads in LAYERS]
    return next((layers * heads for layers, heads in found if type(layers) is int and type(heads) is int), None)
