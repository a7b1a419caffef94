"""Hydra's loader and its repository of files, which read each file once for all jobs of a sweep."""

import copy
import pickle
from typing import Any

from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra._internal.config_repository import ConfigRepository, IConfigRepository
from hydra.core.default_element import ResultDefault
from hydra.plugins.config_source import ConfigResult
from omegaconf import DictConfig


class ReadOnce(ConfigRepository):
    """The files and schemas that Hydra finds, each read once; its copies, one for each job, share what was read.

    Attributes:
        looks_up: whether a defaults list was read that chooses by another choice: `- model/data: ${model}_${data}`.
    """

    def __init__(self, repository: ConfigRepository) -> None:
        """Nothing is read yet.

        Args:
            repository: Hydra's own.
        """
        self.sources = repository.sources
        self._read: dict[tuple[str, ...], bytes] = {}
        self.looks_up: list[str] = []

    def __deepcopy__(self, _: Any) -> "ReadOnce":
        """Another one, which may look in other folders, and shares what was read: Hydra's copies every schema."""
        return copy.copy(self)

    def load_config(self, config_path: str) -> ConfigResult | None:
        """See Hydra's."""
        key = (*(f"{source.provider} {source.path}" for source in self.sources), config_path)
        if key not in self._read:
            found = super().load_config(config_path)
            if found is not None and any("${" in str(default) for default in found.defaults_list or ()):
                self.looks_up.append(config_path)
            self._read[key] = pickle.dumps(found)
        return pickle.loads(self._read[key])  # noqa: S301 bytes of this very object


class Loader(ConfigLoaderImpl):
    """Hydra's loader of configs, with such a repository.

    Attributes:
        merged: what the config that it composed last was merged of, in this order.
    """

    def __init__(self, loader: ConfigLoaderImpl) -> None:
        """Looks where another one does."""
        self.config_search_path = loader.config_search_path
        self.repository: ReadOnce = ReadOnce(loader.repository)
        self.merged: list[ResultDefault] = []

    def _compose_config_from_defaults_list(self, defaults: list[ResultDefault], repo: IConfigRepository) -> DictConfig:
        self.merged = list(defaults)
        return super()._compose_config_from_defaults_list(defaults, repo)
