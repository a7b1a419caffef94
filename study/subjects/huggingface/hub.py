"""Models by hub name or local folder: where their files are, without loading any."""

import re
from pathlib import Path

from study.record.errors import InputError, StudyError
from study.subjects.model_files import read_json, tokenizer_files, weights_files

PATTERNS = ["*.json", "*.txt", "*.model", "*.jinja", "*.safetensors"]
HUB_NAME = r"\w+([.-]\w+)*(/\w+([.-]\w+)*)?"
PATIENCE = 20.0
"""Seconds until a hub that does not answer is given up."""


def local_folder(path: str, revision: str | None) -> Path | None:
    """The folder of a model's files: `path` itself when it is one, else in the hub's download cache; None if absent."""
    folder = Path(path).expanduser()
    if folder.is_dir():
        return folder
    if path.startswith((".", "/", "~")) or path.count("/") > 1:
        raise InputError(f"no folder '{path}': expected a folder with config.json, or a hub name like 'owner/model'")
    if re.fullmatch(HUB_NAME, path, re.ASCII) and not _is_in_cache(path):
        return None
    import huggingface_hub.errors

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
    import huggingface_hub.errors

    try:
        # asked once: a list of files alone would be asked for six times in half a minute
        about = huggingface_hub.HfApi().model_info(path, revision=revision, timeout=PATIENCE)
        is_safe = any(file.rfilename.endswith(".safetensors") for file in about.siblings or ())
        weights = [] if is_safe else ["pytorch_model*.bin"]
        return Path(huggingface_hub.snapshot_download(path, revision=revision, allow_patterns=PATTERNS + weights))
    except (huggingface_hub.errors.HTTPError, OSError) as error:
        raise StudyError(f"'{path}' is no folder, and cannot be downloaded from the hub: {error}") from error


def _is_in_cache(name: str) -> bool:
    """Whether the download cache knows the model, without asking the hub's package, which takes long to load."""
    from huggingface_hub.constants import HF_HUB_CACHE

    return Path(HF_HUB_CACHE, f"models--{name.replace('/', '--')}").is_dir()


def _is_complete(folder: Path) -> bool:
    """Whether a download came to its end: config, tokenizer, and every shard of the weights."""
    indices = [*folder.glob("*.safetensors.index.json"), *folder.glob("pytorch_model*.index.json")]
    shards = {shard for index in indices for shard in read_json(index).get("weight_map", {}).values()}
    needed = [folder / "config.json", *(folder / shard for shard in shards)]
    return all(file.is_file() for file in needed) and bool(tokenizer_files(folder)) and bool(weights_files(folder))
