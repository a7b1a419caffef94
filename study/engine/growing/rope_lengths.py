"""Rotary embeddings whose frequencies depend on how many tokens are read: what may then stand in one pass.

A pass has one set of frequencies, by the longest text in it. With "longrope" (Phi-3) texts longer than those of the
training have another set than shorter ones; with "dynamic" each longer length has its own.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from transformers import PretrainedConfig


class RopeLengths:
    """Tells lengths of texts apart by the frequencies that they are read with."""

    def __init__(self, config: PretrainedConfig) -> None:
        self._longest = config.max_position_embeddings if hasattr(config, "max_position_embeddings") else 0
        self._kinds = list(_kinds(getattr(config, "rope_parameters", None) or {}))

    def key(self, length: int) -> tuple[int, ...]:
        """What two lengths have in common exactly where texts of both may stand in one pass."""
        return tuple(self._class(length, kind) for kind in self._kinds)

    def _class(self, length: int, kind: Mapping[str, Any]) -> int:
        if kind["rope_type"] == "longrope":
            return int(length > kind["original_max_position_embeddings"])
        return max(length, self._longest)


def _kinds(parameters: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """The parameters of embeddings that depend on a length; a config may have several, for kinds of layers."""
    name = str(parameters.get("rope_type", ""))
    if name == "longrope" or "dynamic" in name:
        yield parameters
    for part in parameters.values():
        if isinstance(part, Mapping):
            yield from _kinds(part)
