"""Hydra's loader and its repository of files, which read each file once for all jobs of a sweep."""

import copy
import pickle
from typing import Any

from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra._internal.config_repository import ConfigRepository
from hydra.plugins.config_source import ConfigResult


class ReadOnce(ConfigRepository):
    """The files and schemas that Hydra finds, each read once; its copies, one for each job, share what was read."""

    def __init__(self, repository: ConfigRepository) -> None:
        """Nothing is read yet.

        Args:
            repository: Hydra's own.
        """
        self.sources = repository.sources
        self._read: dict[tuple[str, ...], bytes] = {}

    def __deepcopy__(self, _: Any) -> "ReadOnce":
        """Another one, which may look in other folders, and shares what was read: Hydra's copies every schema."""
        return copy.copy(self)

    def load_config(self, config_path: str) -> ConfigResult | None:
        """See Hydra's."""
        key = (*(f"{source.provider} {source.path}" for source in self.sources), config_path)
        if key not in self._read:
            self._read[key] = pickle.dumps(super().load_config(config_path))
        return pickle.loads(self._read[key])  # noqa: S301 bytes of this very object


class Loader(ConfigLoaderImpl):
    """Hydra's loader of configs, with such a repository."""

    def __init__(self, loader: ConfigLoaderImpl) -> None:
        """Looks where another one does."""
        self.config_search_path = loader.config_search_path
        self.repository: ReadOnce = ReadOnce(loader.repository)
