"""A file of a data set on the Hugging Face hub, read from its local cache only."""

from pathlib import Path

import huggingface_hub
import huggingface_hub.errors

from study.record.errors import StudyError


def cached(repository: str, file: str, revision: str) -> Path | None:
    """Where the download cache has it; None where it has not."""
    found = huggingface_hub.try_to_load_from_cache(repository, file, revision=revision, repo_type="dataset")
    return Path(found) if isinstance(found, str) else None


def download(repository: str, file: str, revision: str) -> None:
    """Bring it into the download cache.

    Raises:
        StudyError: when it cannot be had.
    """
    try:
        huggingface_hub.hf_hub_download(repository, file, repo_type="dataset", revision=revision)
    except (huggingface_hub.errors.HTTPError, OSError) as error:
        raise StudyError(f"cannot download {file} of {repository} from the hub: {error}") from error
