"""Models by hub name or local folder: where their files are, without loading any."""

from pathlib import Path

from huggingface_hub import HfApi, snapshot_download
from huggingface_hub.errors import HTTPError, LocalEntryNotFoundError

from study.errors import InputError, StudyError
from study.files import file_digest

PATTERNS = ["*.json", "*.txt", "*.model", "*.safetensors"]
TOKENIZER_FILES = ("tokenizer.json", "vocab.txt", "vocab.json", "merges.txt", "spiece.model", "sentencepiece.bpe.model")


def local_folder(path: str, revision: str | None) -> Path | None:
    """The folder of a model's files: `path` itself when it is one, else in the hub's download cache; None if absent."""
    if Path(path).is_dir():
        return Path(path)
    if path.startswith((".", "/", "~")) or path.count("/") > 1:
        raise InputError(f"no folder '{path}': expected a folder with config.json, or a hub name like 'owner/model'")
    try:
        folder = Path(snapshot_download(path, revision=revision, local_files_only=True))
    except LocalEntryNotFoundError:
        return None
    return folder if (folder / "config.json").is_file() and _weights(folder) else None


def download(path: str, revision: str | None) -> Path:
    """Bring a model's files from the hub into its download cache.

    Raises:
        StudyError: when the hub cannot be reached, or has no such model.
    """
    try:
        names = HfApi().list_repo_files(path, revision=revision)
        weights = [] if any(name.endswith(".safetensors") for name in names) else ["pytorch_model*.bin"]
        return Path(snapshot_download(path, revision=revision, allow_patterns=PATTERNS + weights))
    except (HTTPError, OSError) as error:
        raise StudyError(f"'{path}' is no folder, and cannot be downloaded from the hub: {error}") from error


def model_digests(folder: Path) -> dict[str, str]:
    """sha256 of the files that determine what a model computes: weights, config and tokenizer.

    Raises:
        InputError: when the folder has no config or no weights.
    """
    weights = _weights(folder)
    if not (folder / "config.json").is_file() or not weights:
        raise InputError(f"{folder} is no model folder: expected config.json and *.safetensors or pytorch_model.bin")
    tokenizer = [folder / name for name in TOKENIZER_FILES if (folder / name).is_file()]
    return {file.name: file_digest(file) for file in [folder / "config.json", *weights, *tokenizer]}


def _weights(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.safetensors")) or sorted(folder.glob("pytorch_model*.bin"))
