"""Classifiers that an earlier version computed otherwise, and wrongly: what their identity says today.

Rows were padded once, and some models came out otherwise for it; some architectures were given other heads. Outcomes of
that time have the identity without a correction, so that nobody takes one for the other. Everything is told by the
files of a folder, so that a finished job is recognised without loading a model.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from study.subjects.model_files import read_json

MIXED = frozenset({"big_bird", "bigbird_pegasus", "convbert", "nystromformer", "reformer", "yoso"})
"""Values of `model_type` of architectures in which tokens mix whatever the attention mask says, or whose attention
depends on the length of a row."""

RELAID = ("bigbird_pegasus", "jamba", "minimax", "zamba", "zamba2")
"""Architectures of which an earlier version left out heads, counted more than there are, or numbered layers anew."""

FILES_OF_SPECIAL_TOKENS = ("special_tokens_map.json", "tokenizer_config.json")
OTHER_TOKENS = ("unk_token", "bos_token", "cls_token", "sep_token")


def corrections(folder: Path) -> dict[str, str]:
    """What belongs to the identity of the classifier in a folder, of what was corrected since; mostly nothing."""
    config = read_json(folder / "config.json")
    kind = config.get("model_type")
    heads = {"heads": "all attention, layers numbered as in the model"} if kind in RELAID else {}
    mixed = kind in MIXED and config.get("attention_type") != "original_full"
    unpadded = mixed or _end_mistaken(config, _special_tokens(folder))
    return heads | ({"rows": "unpadded"} if unpadded else {})


def _end_mistaken(config: Mapping[str, Any], tokens: Mapping[str, str]) -> bool:
    """Whether a token of the text was taken for padding, or padding for text, where the class is read at the last one.

    The tokenizer's padding token was used, or else the end token of the text; right is that of the config.
    """
    end = config.get("eos_token_id")
    if end is None or config.get("is_encoder_decoder") or "type_vocab_size" in config:
        return False  # the class is read elsewhere
    pad, right = tokens.get("pad_token"), config.get("pad_token_id")
    was_end = pad is None or pad == tokens.get("eos_token")
    is_end = right == end
    other = pad is not None and pad in {tokens.get(name) for name in OTHER_TOKENS}
    return was_end != is_end or (other and right is None)


def _special_tokens(folder: Path) -> dict[str, str]:
    """The special tokens by what they stand for, as the tokenizer's files tell them."""
    tokens: dict[str, str] = {}
    for file in (folder / name for name in FILES_OF_SPECIAL_TOKENS):
        told = read_json(file) if file.is_file() else {}
        found = {name: token["content"] if isinstance(token, dict) else token for name, token in told.items() if token}
        tokens |= {name: token for name, token in found.items() if name.endswith("_token") and isinstance(token, str)}
    return tokens
