"""A config as Hydra composed it, of which jobs take copies to set values on."""

import pickle
from functools import cached_property
from typing import Any

from omegaconf import DictConfig, open_dict

from launchers.sweep.composed import node_types, plain_values


class Template:
    """A config, shared by jobs that set values on copies of it; a copy is read from bytes, in a fifth of its time."""

    def __init__(self, whole: DictConfig) -> None:
        """Keep a config that nobody else changes.

        Args:
            whole: the config with Hydra's own node.
        """
        self.hydra: dict[str, Any] = plain_values(whole.hydra)
        """Values of Hydra's own node."""
        self._whole = pickle.dumps(whole)
        with open_dict(whole):
            whole.pop("hydra")
        self._task = pickle.dumps(whole)

    def whole(self) -> DictConfig:
        """A copy of the whole."""
        return pickle.loads(self._whole)  # noqa: S301 bytes of this very object

    def task(self) -> DictConfig:
        """A copy of what the task sees, without Hydra's own node."""
        return pickle.loads(self._task)  # noqa: S301 bytes of this very object

    @cached_property
    def types(self) -> dict[str, str]:
        """Import paths of the dataclasses of all its nodes, see `node_types`."""
        return node_types(self.whole())
