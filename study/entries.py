"""The entries of the config groups: which has an option, and what is meant by one that is not there."""

import difflib
import re
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from omegaconf import MISSING, DictConfig, OmegaConf
from omegaconf._utils import get_yaml_loader

from study.config import SCHEMAS, SHORT, compose
from study.entry_files import entry_file, groups, options
from study.record.errors import InputError, listed

MOST_MEANT = 3
"""How many options are suggested in the place of one that is not there."""

GROUPS_OF = {"train": "data", "dev": "data", "order": "measure/order"}
"""Config groups of nodes that are not named by theirs."""


def refuse_unknown(config: DictConfig) -> None:
    """Refuse an option that was added with `+` and that nothing reads.

    Raises:
        InputError: in words.
    """
    for name in _added(config):
        raise InputError(no_such_option(name))


def no_such_option(name: str, arguments: Sequence[str] = ()) -> str:
    """What to say of an option that the component chosen does not have: others do, or it is misspelt."""
    typed = {full: short for short, full in SHORT.items() if "@" in full}
    name = typed.get(name, name).replace("/", ".")  # of a group within an entry that has none
    where, _, option = name.rpartition(".")
    nested, last = where.replace(".", "/"), where.rpartition(".")[2]
    group = nested if nested in SCHEMAS else GROUPS_OF.get(last, last)
    entries = entries_with(group, option, chosen_task(arguments)) if group in SCHEMAS else []
    if entries:
        chosen = chosen_entry(where, arguments)
        here = f"; the {last} here is {chosen}" if chosen else f"; the {last} here has none"
        if not chosen and any(word.startswith(f"{where}=") and "," in word for word in arguments):
            here = f"; those here cannot all take it in one sweep: give each {last} a command of its own"
        choice = where if group in (where, nested) or where in SHORT else f"{group}@{where}"
        return f"{name} is an option of {listed(entries)}{here}. For example: {choice}={entries[0]}"
    near = _meant(name, group, arguments)[:MOST_MEANT]
    return f"there is no option '{_as_given(name, arguments)}'" + (
        f". Did you mean {' or '.join(near)}?" if near else ""
    )


def _meant(name: str, group: str, arguments: Sequence[str]) -> list[str]:
    """What may have been meant by an option that is not there, the likeliest first.

    It is one of the same place, one of another place under a shorter name, or one that is spelled like it.
    """
    where, _, option = name.rpartition(".")
    beside = {
        f"{where}.{key}": None for schema in SCHEMAS.get(group, {}).values() for key in schema.__dataclass_fields__
    }
    beside |= {short: None for short in SHORT if short.startswith(f"{where}.")}
    beside |= {full: None for full in option_names(arguments) if where and full.rpartition(".")[0] == where}
    if near := difflib.get_close_matches(option, [key.removeprefix(f"{where}.") for key in beside], n=MOST_MEANT):
        return [f"{where}.{key}" for key in near if where]
    names = list(dict.fromkeys([*SHORT, *option_names(arguments)]))
    ends = [full for full in names if full.endswith(f".{name}")]
    choices = [full for full in ends if any(each.startswith(f"{full}.") for each in names)]
    rest = _as_given(name, arguments).removeprefix(name)
    if found := choices if rest else sorted(ends, key=lambda full: (full not in choices, full.count("."))):
        return [f"{full}{rest}" for full in found]
    known = names if where else option_names(arguments)
    close = difflib.get_close_matches(name, known, n=MOST_MEANT, cutoff=0.5)
    return [f"{near}{rest}" for near in close if near != name]


def _as_given(name: str, arguments: Sequence[str]) -> str:
    """The option as a command has it, of which only the first parts may be known: `gates.keep` of `gates`."""
    given = (word.lstrip("+").partition("=")[0] for word in arguments)
    return next((word for word in given if word.startswith(f"{name}.")), name)


def entries_with(group: str, option: str, task: str | None = None) -> list[str]:
    """Entries of a config group that have an option: those to which it must be given, else those named by its schema.

    Entries of a task come first where it is known.
    """
    having = [name for name in options(group) if option in getattr(schema_of(group, name), "__dataclass_fields__", ())]
    to_give = [name for name in having if content(group, name).get(option) == MISSING]
    inherited = [name for name in having if _parent(group, name) is not None]
    chosen = to_give or [name for name in having if name not in inherited] or having
    return sorted(chosen, key=lambda name: task is not None and _task(group, name) != task)


def schema_of(group: str, name: str) -> type | None:
    """The schema that an entry of a config group takes, itself or through the entry that it is made of.

    None where its files are wrong, which is said when the entry is chosen.
    """
    seen, made_of = set[str](), name
    while made_of is not None and made_of not in seen:
        seen.add(made_of)
        for entry in _defaults(group, made_of):
            schema = entry.get(f"/schema/{group}@_here_") if isinstance(entry, dict) else None
            if schema is not None:
                return SCHEMAS[group].get(str(schema))
        made_of = _parent(group, made_of)
    return None


def content(group: str, name: str) -> dict[str, Any]:
    """What the YAML file of an entry says, as plain values; not to be changed.

    Raises:
        FileNotFoundError: when there is none.
        InputError: when it cannot be read, or is no mapping of options.
    """
    file = entry_file(group, name)
    return _content(file, file.stat().st_mtime_ns)


@cache
def _content(file: Path, _changed: int) -> dict[str, Any]:
    fast = [yaml.CSafeLoader] if yaml.__with_libyaml__ else []
    loader = type("EntryLoader", (*fast, get_yaml_loader()), {})  # reads values as OmegaConf does: 1e-4 is a number
    try:
        found = yaml.load(file.read_text(encoding="utf-8"), loader)
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise InputError(f"{file} is no YAML: {' '.join(str(error).split())}") from error
    if not isinstance(found, dict):
        raise InputError(f"{file} is no mapping of options to values, OPTION: VALUE")
    return found


def _parent(group: str, name: str) -> str | None:
    """The entry that an entry is made of; None where it takes a schema itself."""
    return next((entry for entry in _defaults(group, name) if isinstance(entry, str) and entry in options(group)), None)


def _defaults(group: str, name: str) -> Sequence[Any]:
    """What an entry is made of; nothing where its file is none of an entry."""
    try:
        defaults = content(group, name).get("defaults")
    except InputError:
        return []
    return defaults if isinstance(defaults, list) else []


def _task(group: str, name: str) -> str | None:
    field = getattr(schema_of(group, name), "__dataclass_fields__", {}).get("task")
    return None if field is None else str(field.default)


def chosen_task(arguments: Sequence[str]) -> str | None:
    """The task of the model or the data that a command names."""
    for group in ("model", "data"):
        chosen = chosen_entry(group, arguments)
        if chosen in options(group):
            return _task(group, chosen)
    return None


def chosen_entry(group: str, arguments: Sequence[str]) -> str:
    """The entry of a group that a command names; empty where it names none, or several."""
    given = [word.partition("=")[2] for word in arguments if re.match(rf"\+*({group}|\w+@{group})=", word)]
    return given[-1] if given and re.fullmatch(r"\w+", given[-1]) else ""


def _added(config: DictConfig, where: str = "") -> Iterator[str]:
    """Options of typed nodes that their types do not have."""
    known = getattr(OmegaConf.get_type(config), "__dataclass_fields__", None)
    for key in config:
        name, node = f"{where}{key}", config._get_node(key)
        if known is not None and key not in known:
            yield name
        elif isinstance(node, DictConfig) and not node._is_missing() and not node._is_none():
            yield from _added(node, f"{name}.")


def option_names(arguments: Sequence[str]) -> list[str]:
    """Every group and option that a command may set: those of `study prune`, or of a job of the toy classifier."""
    if "prune" in arguments:
        from hydra.core.config_store import ConfigStore

        return list(keys(ConfigStore.instance().load("prune_schema.yaml").node))
    return list(dict.fromkeys([*groups(), *keys(compose("model=toy_classifier", "data=toy_matched"))]))


def keys(config: DictConfig, prefix: str = "") -> Iterator[str]:
    """Every option of a config, those of its nodes by their path."""
    for key in config:
        yield f"{prefix}{key}"
        value = config._get_node(key)
        if isinstance(value, DictConfig):
            yield from keys(value, f"{prefix}{key}.")
