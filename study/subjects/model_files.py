"""The files of a model's folder, as transformers and this project write it: config, weights, tokenizer, heads."""

import json
from pathlib import Path
from typing import Any

from study.record.errors import InputError
from study.record.files import file_digest

WEIGHTS_FILE = "model.safetensors"
HEADS_FILE = "heads.json"
"""File of a pruned model that names the heads of each layer, see `study.subjects.pruned.folder`."""

TOKENIZER_FILES = ("tokenizer*.json", "vocab*", "merges.txt", "*.model", "special_tokens_map.json", "added_tokens.json")

VOCABULARY_FILES = ("tokenizer.json", "vocab*", "*.model", "*.spm", "*.tiktoken", "bpe.codes")
LETTERS_ALONE = {"canine", "CanineTokenizer", "perceiver", "PerceiverTokenizer", "ByT5Tokenizer"}
"""Models and tokenizers that read letters or bytes, and need no vocabulary."""


def read_json(path: Path) -> dict[str, Any]:
    """The content of a file.

    Raises:
        InputError: when it cannot be read or is no JSON object, as where a download was broken off.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}") from error
    except ValueError as error:  # not text, or not JSON
        raise InputError(f"{path} is not whole, copy or download it again: {error}") from error
    if not isinstance(content, dict):
        raise InputError(f"{path} is no JSON object")
    return content


def model_digests(folder: Path) -> dict[str, str]:
    """sha256 of the files that determine what a model computes: weights, config, tokenizer, and heads kept if not all.

    Raises:
        InputError: when the folder has no config or no weights.
    """
    weights = weights_files(folder)
    if not (folder / "config.json").is_file() or not weights:
        raise InputError(f"{folder} is no model folder: expected config.json and *.safetensors or pytorch_model.bin")
    heads = sorted(folder.glob(HEADS_FILE))
    return {
        file.name: file_digest(file) for file in [folder / "config.json", *heads, *weights, *tokenizer_files(folder)]
    }


def weights_files(folder: Path) -> list[Path]:
    """The files of a model folder that hold its weights."""
    return sorted(folder.glob("*.safetensors")) or sorted(folder.glob("pytorch_model*.bin"))


def tokenizer_files(folder: Path) -> list[Path]:
    """The files of a model folder that make its tokenizer."""
    return sorted({file for pattern in TOKENIZER_FILES for file in folder.glob(pattern) if file.is_file()})


def require_tokenizer(folder: Path) -> None:
    """Refuse a folder without the vocabulary of a tokenizer: transformers makes one of nothing, which knows no word.

    Raises:
        InputError: names the folder and what it should have.
    """
    if any(next(folder.glob(pattern), None) for pattern in VOCABULARY_FILES):
        return
    settings = [folder / name for name in ("config.json", "tokenizer_config.json") if (folder / name).is_file()]
    told = [read_json(file) for file in settings]
    if LETTERS_ALONE.isdisjoint(str(config.get(key)) for config in told for key in ("model_type", "tokenizer_class")):
        raise InputError(
            f"{folder} has no tokenizer: no tokenizer.json and no vocabulary (vocab.txt, ...). Save that of the "
            f"training beside the model: AutoTokenizer.from_pretrained(...).save_pretrained({str(folder)!r})"
        )
