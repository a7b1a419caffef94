"""Whether weights of one model can stand in another, as far as the files of their folders tell without transformers."""

from pathlib import Path
from typing import Any

from study.record.errors import InputError
from study.subjects.model_files import read_json

SIZES = (
    *("model_type", "hidden_size", "dim", "n_embd", "d_model", "num_hidden_layers", "n_layers", "n_layer"),
    *("num_attention_heads", "n_heads", "n_head", "num_key_value_heads", "intermediate_size", "vocab_size"),
)
"""Fields of a config that say what shapes the weights have."""


def require_alike(start: Path, other: Path, option: str) -> None:
    """Refuse a model of another architecture or tokenizer than the one to start from.

    Args:
        start: folder of the model to start from.
        other: folder of the other one.
        option: the option that names it, with its value.

    Raises:
        InputError: says in what they differ.
    """
    ours, theirs = (read_json(folder / "config.json") for folder in (start, other))
    unlike = [f"{name} {theirs[name]}, not {ours[name]}" for name in SIZES if _differ(ours, theirs, name)]
    if unlike:
        raise InputError(f"{option} is of another architecture than the model to start from: {', '.join(unlike)}")
    our_words, their_words = _vocabulary(start), _vocabulary(other)
    if our_words is not None and their_words is not None and our_words != their_words:
        raise InputError(
            f"{option} has another tokenizer than the model to start from: its weights know other tokens by the same "
            "numbers"
        )


def _differ(ours: dict[str, Any], theirs: dict[str, Any], name: str) -> bool:
    return name in ours and name in theirs and ours[name] != theirs[name]


def _vocabulary(folder: Path) -> Any:
    """The words of a tokenizer, with their numbers; None where its files do not tell them plainly."""
    if (folder / "tokenizer.json").is_file():
        return read_json(folder / "tokenizer.json").get("model", {}).get("vocab")
    if (folder / "vocab.txt").is_file():
        lines = (folder / "vocab.txt").read_text(encoding="utf-8").split("\n")  # others end a line within a word
        return {word: number for number, word in enumerate(lines)}
    return None
