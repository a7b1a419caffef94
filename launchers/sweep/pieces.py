"""Configs put together from those of other jobs: for each place, the node of a job that fills it so.

Hydra merges a config of a list of files, each at its place. Where another choice changes only what is merged at or
below one place, its node there is the same whatever is chosen at places apart from it.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra.core.config_loader import ConfigLoader
from hydra.core.override_parser.types import Override
from hydra.errors import HydraException
from omegaconf import DictConfig, open_dict

from launchers.sweep.reading import Loader
from launchers.sweep.template import Template

Words = tuple[str, ...]
"""Overrides of a job, as typed."""

File = tuple[str | None, str | None, bool]
"""What is merged: its path, its place, and whether that is a file's own part."""


@dataclass(frozen=True)
class Piece:
    """A config that Hydra composed, and what it was merged of, in this order."""

    template: Template
    merged: Sequence[File]

    def apart_from(self, place: str) -> list[File]:
        """What was merged elsewhere than at or below a place."""
        return [file for file in self.merged if not is_within(file[1] or "", place)]

    def node(self, place: str) -> Any:
        """A copy of the node at a place; None where there is none."""
        config = self.template.task()
        *above, last = place.split(".")
        parent = _at(config, above)
        node = None if parent is None else parent._get_node(last)
        if node is not None:
            node._set_parent(None)
        return node


class Pieces:
    """The configs of one sweep, as Hydra composes them."""

    def __init__(self, loader: ConfigLoader, sweep: DictConfig) -> None:
        """Nothing is composed yet; the config is that of the sweep itself."""
        self.loader = Loader(loader) if isinstance(loader, ConfigLoaderImpl) else loader
        self._sweep = sweep
        self._templates: dict[Words, Template] = {}
        self._pieces: dict[Words, Piece] = {}
        self._first: dict[tuple[tuple[str, ...], ...], list[Override]] = {}

    def template(self, overrides: Sequence[Override]) -> Template:
        """The config of a job, without what is set on copies of it.

        Raises:
            HydraException: when it cannot be composed.
        """
        words = _words(overrides)
        if words not in self._templates:
            self._templates[words] = self._together(overrides) or self._composed(words).template
        return self._templates[words]

    def _composed(self, words: Words) -> Piece:
        """By Hydra."""
        if words not in self._pieces:
            config = self.loader.load_sweep_config(self._sweep, list(words))
            merged = self.loader.merged if isinstance(self.loader, Loader) else []
            files = [(file.config_path, file.package, file.is_self) for file in merged]
            self._pieces[words] = Piece(Template(config), files)
        return self._pieces[words]

    def _together(self, overrides: Sequence[Override]) -> Template | None:
        """The config of pieces that differ from the first job of such overrides at one place each, where that is exact.

        None where it may not be, or where Hydra refuses one of them: it says itself what is wrong with the whole.
        """
        first = self._first.setdefault(tuple(map(_key, overrides)), list(overrides))
        other = [number for number, one in enumerate(overrides) if one.input_line != first[number].input_line]
        apart = list(_apart({number: _place(overrides[number]) for number in other}))
        if len(apart) < 2 or not isinstance(self.loader, Loader):
            return None
        try:
            base = self._composed(_words(first))
            pieces = {place: self._composed(_words([*_mixed(first, overrides, numbers)])) for place, numbers in apart}
        except HydraException:
            return None
        if self.loader.repository.looks_up or any(
            base.apart_from(place) != piece.apart_from(place) for place, piece in pieces.items()
        ):
            return None
        return _put_together(base, pieces)


def _put_together(base: Piece, pieces: dict[str, Piece]) -> Template | None:
    config = base.template.whole()
    for place, piece in pieces.items():
        *above, last = place.split(".")
        parent, node = _at(config, above), piece.node(place)
        if parent is None or node is None or parent._get_node(last) is None:
            return None
        node._set_parent(parent)
        content: Any = parent._content
        content[last] = node
    choices = dict(base.template.hydra["runtime"]["choices"])
    for piece in pieces.values():
        own, usual = piece.template.hydra["runtime"]["choices"], base.template.hydra["runtime"]["choices"]
        for group in usual.keys() - own.keys():
            del choices[group]
        choices |= {group: chosen for group, chosen in own.items() if usual.get(group, ...) != chosen}
    with open_dict(config.hydra.runtime):
        config.hydra.runtime.choices = choices
    return Template(config)


def is_within(place: str, other: str) -> bool:
    """Whether a place is another one or below it: `model.training` within `model`."""
    return f"{place}.".startswith(f"{other}.")


def _apart(places: dict[int, str]) -> Iterator[tuple[str, list[int]]]:
    """The places that have nothing to do with each other, with the numbers of the overrides at or below each."""
    for place in dict.fromkeys(places.values()):
        if not any(is_within(place, other) for other in places.values() if other != place):
            yield place, [number for number, one in places.items() if is_within(one, place)]


def _at(config: DictConfig, names: Sequence[str]) -> DictConfig | None:
    node: Any = config
    for name in names:
        node = node._get_node(name) if isinstance(node, DictConfig) else None
    return node if isinstance(node, DictConfig) and not node._is_none() and not node._is_missing() else None


def _mixed(first: Sequence[Override], overrides: Sequence[Override], numbers: Sequence[int]) -> Iterator[Override]:
    """The overrides of the first job, those of some numbers as in another job."""
    for number, one in enumerate(first):
        yield overrides[number] if number in numbers else one


def _key(override: Override) -> tuple[str, ...]:
    return str(override.type), override.key_or_group, override.package or ""


def _place(override: Override) -> str:
    """Where an override puts something: `measure.order` of `measure/order=random`."""
    return override.package or override.key_or_group.replace("/", ".")


def _words(overrides: Sequence[Override]) -> Words:
    return tuple(str(override.input_line) for override in overrides)
