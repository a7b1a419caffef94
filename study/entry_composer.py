"""Entries composed from their files alone: what Hydra makes of each, in a small part of its time.

An entry here is made of a schema, of another entry of its group, of entries of other groups at places within it, of
other choices for such places, and of values. One that has anything else in its defaults list is left to Hydra.
"""

import re
from collections.abc import Iterator, Sequence
from functools import cache
from typing import Any

from omegaconf import DictConfig, OmegaConf, flag_override
from omegaconf.errors import OmegaConfBaseException

from study.config import SCHEMAS, compose_entries
from study.entries import content
from study.entry_files import entry_file

Choices = dict[tuple[str, str], str | None]
"""Entries chosen in place of those that a file names, by their group and the place that they fill."""


class UnusualEntryError(Exception):
    """An entry that only Hydra composes."""


def entries(group: str, names: Sequence[str]) -> dict[str, DictConfig]:
    """Entries of a config group, each by itself, as a job that chooses it has it: those of `compose_entries`."""
    found: dict[str, DictConfig] = {}
    for name in names:
        try:
            found[name] = _entry(group, name)
        except (UnusualEntryError, OmegaConfBaseException, KeyError, FileNotFoundError):
            continue  # Hydra composes it, or says what is wrong
    return found | compose_entries(group, [name for name in names if name not in found])


def _entry(group: str, name: str) -> DictConfig:
    whole, choices, used = OmegaConf.create(), Choices(), set[tuple[str, str]]()
    with flag_override(whole, "no_deepcopy_set_nodes", True):  # each part is a copy already
        for where, part in _parts(group, name, "entry", choices, used):
            there = OmegaConf.create()
            OmegaConf.update(there, where, part, merge=False)
            whole.merge_with(there)
    if choices.keys() - used:
        raise UnusualEntryError
    OmegaConf.set_struct(whole, True)
    return whole.entry


def _parts(
    group: str, name: str, where: str, choices: Choices, used: set[tuple[str, str]]
) -> Iterator[tuple[str, DictConfig]]:
    """What an entry is merged of, in this order, each with its place; notes which of the choices it has asked for."""
    defaults, values = _file(group, name)
    for key, chosen in _choices(defaults):
        if key.startswith("override "):
            at = _place(key.removeprefix("override "), group, where)
            choices.setdefault(at, chosen)  # that of the entry which is made of this one comes first
    for default in defaults:
        if default == "_self_":
            yield where, values
        elif isinstance(default, str):
            yield from _parts(group, default, where, choices, used)
        else:
            for key, chosen in _choices([default]):
                if key.startswith("override "):
                    continue
                if (schema := re.fullmatch(r"/schema/([\w/]+)@_here_", key)) and chosen:
                    yield where, _schema(schema[1], chosen)
                    continue
                at = _place(key, group, where)
                used.add(at)
                if (other := choices.get(at, chosen)) is not None:
                    yield from _parts(at[0], other, at[1], choices, used)


@cache
def _file(group: str, name: str) -> tuple[Sequence[Any], DictConfig]:
    """The defaults list of an entry, and what its file says beside it."""
    values = content(group, name).copy()
    defaults: Any = OmegaConf.to_container(values.pop("defaults", OmegaConf.create([])))
    if "_self_" not in defaults or "# @package" in entry_file(group, name).read_text(encoding="utf-8"):
        raise UnusualEntryError
    if any(isinstance(default, str) and not re.fullmatch(r"\w+", default) for default in defaults):
        raise UnusualEntryError  # of another folder, or at another place
    return list(defaults), values


@cache
def _schema(group: str, name: str) -> DictConfig:
    return OmegaConf.structured(SCHEMAS[group][name])


def _choices(defaults: Sequence[Any]) -> Iterator[tuple[str, str | None]]:
    """The choices of a defaults list."""
    for default in defaults:
        if isinstance(default, dict):
            for key, chosen in default.items():
                if not isinstance(chosen, str | None) or "$" in (chosen or ""):
                    raise UnusualEntryError
                yield str(key), chosen


def _place(key: str, group: str, where: str) -> tuple[str, str]:
    """The group and the place of a choice: `/data@train` and, within the group, `order`."""
    found = re.fullmatch(r"/([\w/]+)@([\w.]+)|(\w+)", key)
    if found is None or re.search(r"[@.]_", key):  # `@_here_`, `@_global_.x`
        raise UnusualEntryError
    return (f"{group}/{found[3]}", f"{where}.{found[3]}") if found[3] else (found[1], f"{where}.{found[2]}")
