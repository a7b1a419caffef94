"""Models by hub name or local folder: where their files are, without loading any."""

from pathlib import Path

import huggingface_hub
import huggingface_hub.errors

from study.record.errors import InputError, StudyError
from study.record.files import file_digest
from study.subjects.huggingface.files import read_json

PATTERNS = ["*.json", "*.txt", "*.model", "*.safetensors"]
PATIENCE = 20.0
"""Seconds until a hub that does not answer is given up."""

HEADS_FILE = "heads.json"
"""In the folder of a pruned model: the heads that each layer keeps, see `study.subjects.pruned.folder`."""

RELAID = ("bigbird_pegasus", "jamba", "minimax", "zamba", "zamba2")
"""Architectures of which an earlier version left out heads, counted more than there are, or numbered layers anew."""

TOKENIZER_FILES = ("tokenizer*.json", "vocab*", "merges.txt", "*.model", "special_tokens_map.json", "added_tokens.json")

VOCABULARY_FILES = ("tokenizer.json", "vocab*", "*.model", "*.spm", "*.tiktoken", "bpe.codes")
LETTERS_ALONE = {"canine", "CanineTokenizer", "perceiver", "PerceiverTokenizer", "ByT5Tokenizer"}
"""Models and tokenizers that read letters or bytes, and need no vocabulary."""


def local_folder(path: str, revision: str | None) -> Path | None:
    """The folder of a model's files: `path` itself when it is one, else in the hub's download cache; None if absent."""
    folder = Path(path).expanduser()
    if folder.is_dir():
        return folder
    if path.startswith((".", "/", "~")) or path.count("/") > 1:
        raise InputError(f"no folder '{path}': expected a folder with config.json, or a hub name like 'owner/model'")
    try:
        folder = Path(huggingface_hub.snapshot_download(path, revision=revision, local_files_only=True))
    except huggingface_hub.errors.LocalEntryNotFoundError:
        return None
    except ValueError as error:
        raise InputError(f"'{path}' is neither a folder nor a hub name like 'owner/model': {error}") from error
    return folder if _is_complete(folder) else None


def download(path: str, revision: str | None) -> Path:
    """Bring a model's files from the hub into its download cache.

    Raises:
        StudyError: when the hub cannot be reached, or has no such model.
    """
    try:
        # asked once: a list of files alone would be asked for six times in half a minute
        about = huggingface_hub.HfApi().model_info(path, revision=revision, timeout=PATIENCE)
        is_safe = any(file.rfilename.endswith(".safetensors") for file in about.siblings or ())
        weights = [] if is_safe else ["pytorch_model*.bin"]
        return Path(huggingface_hub.snapshot_download(path, revision=revision, allow_patterns=PATTERNS + weights))
    except (huggingface_hub.errors.HTTPError, OSError) as error:
        raise StudyError(f"'{path}' is no folder, and cannot be downloaded from the hub: {error}") from error


def model_digests(folder: Path) -> dict[str, str]:
    """sha256 of the files that determine what a model computes: weights, config, tokenizer, and heads kept if not all.

    Raises:
        InputError: when the folder has no config or no weights.
    """
    weights = _weights(folder)
    if not (folder / "config.json").is_file() or not weights:
        raise InputError(f"{folder} is no model folder: expected config.json and *.safetensors or pytorch_model.bin")
    heads = sorted(folder.glob(HEADS_FILE))
    return {
        file.name: file_digest(file) for file in [folder / "config.json", *heads, *weights, *tokenizer_files(folder)]
    }


def relaid(folder: Path) -> dict[str, str]:
    """What tells outcomes of a model from those of an earlier version, which had other heads for it; mostly nothing."""
    kind = read_json(folder / "config.json").get("model_type")
    return {"heads": "all attention, layers numbered as in the model"} if kind in RELAID else {}


def _weights(folder: Path) -> list[Path]:
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


def _is_complete(folder: Path) -> bool:
    """Whether a download came to its end: config, tokenizer, and every shard of the weights."""
    indices = [*folder.glob("*.safetensors.index.json"), *folder.glob("pytorch_model*.index.json")]
    shards = {shard for index in indices for shard in read_json(index).get("weight_map", {}).values()}
    whole = all((folder / shard).is_file() for shard in shards)
    return (folder / "config.json").is_file() and bool(tokenizer_files(folder)) and bool(_weights(folder)) and whole
