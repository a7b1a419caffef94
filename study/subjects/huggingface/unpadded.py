"""Classifiers that come out otherwise when their rows are padded, as they once were here.

Their rows of that time are wrong, so the identity of such a model says that its rows are not padded. Everything is told
by the files of its folder, so that a finished job is recognised without loading a model.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from study.subjects.huggingface.files import read_json

MIXED = frozenset({"big_bird", "bigbird_pegasus", "convbert", "nystromformer", "reformer", "yoso"})
"""Values of `model_type` of architectures in which tokens mix whatever the attention mask says, or whose attention
depends on the length of a row."""

FILES_OF_SPECIAL_TOKENS = ("special_tokens_map.json", "tokenizer_config.json")
OTHER_TOKENS = ("unk_token", "bos_token", "cls_token", "sep_token")


def identity_of_rows(folder: Path) -> dict[str, str]:
    """What belongs to the identity of the classifier in a folder: nothing, unless padding changed its rows."""
    config = read_json(folder / "config.json")
    mixed = config.get("model_type") in MIXED and config.get("attention_type") != "original_full"
    return {"rows": "unpadded"} if mixed or _end_mistaken(config, _special_tokens(folder)) else {}


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
