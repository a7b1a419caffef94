"""Entries composed from their files alone: what Hydra makes of each, in a hundredth of its time.

An entry here is made of a schema, of another entry of its group, of entries of other groups at places within it, of
other choices for such places, and of values. One that has anything else in its defaults list is left to Hydra.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import MISSING as NO_DEFAULT
from dataclasses import dataclass, field, fields, is_dataclass
from enum import Enum
from functools import cache
from types import NoneType, UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

from omegaconf import MISSING, DictConfig, OmegaConf, flag_override
from omegaconf.errors import OmegaConfBaseException

from study.config import SCHEMAS, compose_entries
from study.entries import content
from study.entry_files import entry_file
from study.record.errors import InputError

Choices = dict[tuple[str, str], str | None]
"""Entries chosen in place of those that a file names, by their group and the place that they fill."""

HERE = r"\$\{\.([\w.]+)\}"
"""A value beside this one, or within a value beside it."""
PLAIN = (bool, int, float, str)


class UnusualEntryError(Exception):
    """An entry that only Hydra composes."""


@dataclass
class PlainEntry:
    """An entry as its files say it.

    Attributes:
        kinds: the schemas of its nodes by their place in it (empty: the whole), a node before those within it.
        values: what the files say beside the schemas.
    """

    kinds: dict[str, type] = field(default_factory=dict)
    values: dict[str, Any] = field(default_factory=dict)

    def add_kind(self, where: str, kind: type) -> None:
        """Give a place its schema, before anything is said of it.

        Raises:
            UnusualEntryError: when something was said of it, so that the schema's defaults would replace that.
        """
        names = where.split(".") if where else []
        if any(place.startswith(f"{where}.".lstrip(".")) for place in self.kinds) or self._said(names):
            raise UnusualEntryError
        self.kinds[where] = kind

    def add_values(self, where: str, values: Mapping[str, Any]) -> None:
        """Say more of a place; what is said later counts."""
        node = self.values
        for name in where.split(".") if where else []:
            node = node.setdefault(name, {})
            if not isinstance(node, dict):
                raise UnusualEntryError
        _merge(node, values)

    def typed(self) -> DictConfig:
        """The entry as a job that chooses it has it.

        Raises:
            OmegaConfBaseException: when a value is none for its option.
        """
        whole = OmegaConf.create({"entry": _schema(self.kinds[""])})
        with flag_override(whole, "no_deepcopy_set_nodes", True):  # each part is a copy already
            for where, kind in self.kinds.items():
                if where:
                    there = OmegaConf.create()
                    OmegaConf.update(there, f"entry.{where}", _schema(kind), merge=False)
                    whole.merge_with(there)
        whole.merge_with({"entry": self.values})
        OmegaConf.set_struct(whole, True)
        return whole.entry

    def lacking(self) -> list[str]:
        """The options to which a value must be given, in alphabetical order."""
        return sorted(self._lacking("", self.kinds[""], self.values))

    def component(self) -> Any:
        """What a job makes of the entry, where no value is lacking.

        Raises:
            UnusualEntryError: when that takes OmegaConf: a value that is to be converted or looked up elsewhere.
            StudyError: when the component refuses its values.
        """
        return self._component("", self.kinds[""], self.values)

    def _said(self, names: Sequence[str]) -> bool:
        node: Any = self.values
        for name in names:
            node = node.get(name, {}) if isinstance(node, dict) else {}
        return bool(node)

    def _lacking(self, where: str, kind: type, values: Mapping[str, Any]) -> Iterator[str]:
        for option in fields(kind):
            at, usual = f"{where}.{option.name}".lstrip("."), _usual(option)
            value = values.get(option.name, usual)
            if (own := self.kinds.get(at)) is not None:
                yield from self._lacking(at, own, value if isinstance(value, dict) else {})
            elif is_dataclass(usual) and isinstance(value, dict):
                yield from self._lacking(at, type(usual), {**vars(usual), **value})
            elif is_dataclass(value):
                yield from self._lacking(at, type(value), vars(value))
            elif value == MISSING:
                yield at

    def _component(self, where: str, kind: type, values: Any) -> Any:
        hints, given = _hints(kind), {}
        if not isinstance(values, dict) or values.keys() - {option.name for option in fields(kind)}:
            raise UnusualEntryError
        places = {option.name: f"{where}.{option.name}".lstrip(".") for option in fields(kind)}
        elsewhere = {name: value for name, value in values.items() if isinstance(value, str) and "${" in value}
        for name, at in places.items():
            if (own := self.kinds.get(at)) is not None:
                given[name] = self._component(at, own, values.get(name, {}))
            elif name in values and name not in elsewhere:
                given[name] = self._value(at, hints[name], values[name])
        beside = {option.name: _usual(option) for option in fields(kind) if option.name not in given} | given
        for name, words in elsewhere.items():
            given[name] = self._value(places[name], hints[name], _filled_in(words, beside))
        return kind(**given)

    def _value(self, at: str, hint: Any, value: Any) -> Any:
        """A value as its option has it."""
        kinds = get_args(hint) if get_origin(hint) in (Union, UnionType) else (hint,)
        if value is None and NoneType in kinds:
            return None
        (kind,) = [one for one in kinds if one is not NoneType] if len(kinds) < 3 else (None,)
        if isinstance(value, list) and get_origin(kind) is list:
            return [self._value(at, get_args(kind)[0], one) for one in value]
        if isinstance(value, dict) and get_origin(kind) is dict:
            return {key: self._value(at, get_args(kind)[1], one) for key, one in value.items()}
        if isinstance(value, dict) and is_dataclass(kind) and isinstance(kind, type):
            return self._component(at, kind, value)
        if isinstance(value, str) and isinstance(kind, type) and issubclass(kind, Enum) and value in kind.__members__:
            return kind[value]
        if kind is float and type(value) is int:
            return float(value)
        if type(value) is kind and kind in PLAIN and "${" not in str(value):
            return value
        raise UnusualEntryError


def entries(group: str, names: Sequence[str]) -> dict[str, DictConfig]:
    """Entries of a config group, each by itself, as a job that chooses it has it: those of `compose_entries`."""
    found: dict[str, DictConfig] = {}
    for name in names:
        try:
            found[name] = plain_entry(group, name).typed()
        except (UnusualEntryError, OmegaConfBaseException):
            continue  # Hydra composes it, or says what is wrong
    return found | compose_entries(group, [name for name in names if name not in found])


def plain_entry(group: str, name: str) -> PlainEntry:
    """An entry as its files say it.

    Raises:
        UnusualEntryError: when only Hydra composes it, or says what is wrong.
        InputError: when one of its files cannot be read, or it is made of itself.
    """
    entry, choices, used = PlainEntry(), Choices(), set[tuple[str, str]]()
    try:
        for where, part in _parts(group, name, "", choices, used):
            if isinstance(part, type):
                entry.add_kind(where, part)
            else:
                entry.add_values(where, part)
    except (KeyError, FileNotFoundError) as error:
        raise UnusualEntryError from error
    except RecursionError as error:
        raise InputError(f"{group}/{name}.yaml is made of itself") from error
    if choices.keys() - used or "" not in entry.kinds:
        raise UnusualEntryError
    return entry


def _parts(
    group: str, name: str, where: str, choices: Choices, used: set[tuple[str, str]]
) -> Iterator[tuple[str, type | Mapping[str, Any]]]:
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
                    yield where, SCHEMAS[schema[1]][chosen]
                    continue
                at = _place(key, group, where)
                used.add(at)
                if (other := choices.get(at, chosen)) is not None:
                    yield from _parts(at[0], other, at[1], choices, used)


def _file(group: str, name: str) -> tuple[Sequence[Any], Mapping[str, Any]]:
    """The defaults list of an entry, and what its file says beside it."""
    values = content(group, name)
    defaults = values.get("defaults")
    if not isinstance(defaults, list) or "_self_" not in defaults:
        raise UnusualEntryError
    if "# @package" in entry_file(group, name).read_text(encoding="utf-8"):
        raise UnusualEntryError
    if any(isinstance(default, str) and not re.fullmatch(r"\w+", default) for default in defaults):
        raise UnusualEntryError  # of another folder, or at another place
    return defaults, {key: value for key, value in values.items() if key != "defaults"}


@cache
def _schema(kind: type) -> DictConfig:
    return OmegaConf.structured(kind)


@cache
def _hints(kind: type) -> dict[str, Any]:
    return get_type_hints(kind)


def _filled_in(words: str, beside: Mapping[str, Any]) -> Any:
    """A value that names others of its node, `${.training.source}`, with these in their place."""
    if whole := re.fullmatch(HERE, words):
        return _found(whole[1], beside)
    return re.sub(HERE, lambda part: str(_found(part[1], beside)), words)


def _found(path: str, beside: Mapping[str, Any]) -> Any:
    first, *names = path.split(".")
    found: Any = beside.get(first)
    for name in names:
        found = getattr(found, name, None)
    if type(found) not in PLAIN or (isinstance(found, str) and "${" in found):
        raise UnusualEntryError
    return found


def _usual(option: Any) -> Any:
    """What an option is where nothing is said of it."""
    return option.default if option.default_factory is NO_DEFAULT else option.default_factory()


def _merge(into: dict[str, Any], values: Mapping[str, Any]) -> None:
    """Add values to others, of which they replace all but mappings, into which they are merged."""
    for key, value in values.items():
        if isinstance(value, dict):
            node = into.get(key)
            into[key] = node if isinstance(node, dict) else {}
            _merge(into[key], value)
        elif value != MISSING:  # that a value is to be given takes none away
            into[key] = value


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
    own, there = (f"{group}/{found[3]}", found[3]) if found[3] else (found[1], found[2])
    return own, f"{where}.{there}".lstrip(".")
