"""A file of a data set on the Hugging Face hub, read from its local cache only."""

from dataclasses import dataclass
from pathlib import Path

from study.record.errors import InputError, StudyError


@dataclass(frozen=True)
class HubFile:
    """A file of a data set on the hub.

    Attributes:
        repository: the data set.
        name: path of the file within it.
        revision: commit, branch or tag.
    """

    repository: str
    name: str
    revision: str

    def __str__(self) -> str:
        return f"{self.name} of huggingface.co/datasets/{self.repository}"

    def cached(self) -> Path | None:
        """Where the download cache has it; None where it has not."""
        from huggingface_hub.constants import HF_HUB_CACHE

        if not Path(HF_HUB_CACHE, f"datasets--{self.repository.replace('/', '--')}").is_dir():
            return None  # as mostly, for which the rest of the package is not loaded
        import huggingface_hub

        found = huggingface_hub.try_to_load_from_cache(
            self.repository, self.name, revision=self.revision, repo_type="dataset"
        )
        return Path(found) if isinstance(found, str) else None

    def download(self) -> None:
        """Bring it into the download cache.

        Raises:
            StudyError: when it cannot be had.
        """
        import huggingface_hub.errors

        try:
            huggingface_hub.hf_hub_download(self.repository, self.name, repo_type="dataset", revision=self.revision)
        except (huggingface_hub.errors.HTTPError, OSError) as error:
            raise StudyError(f"cannot download {self.name} of {self.repository} from the hub: {error}") from error

    def path(self, otherwise: str = "name a local copy by data.path=FILE") -> Path:
        """Where the download cache has it.

        Args:
            otherwise: how else it can be read, for the error.

        Raises:
            InputError: when it is not there; says how to get it.
        """
        path = self.cached()
        if path is None:
            raise InputError(
                f"{self} is not in the Hugging Face cache: run `study fetch` where there is a network, or {otherwise}"
            )
        return path
