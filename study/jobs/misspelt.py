"""Overrides that cannot be: one sentence in the place of Hydra's, with what is allowed and what was meant perhaps."""

import difflib
import re
from collections.abc import Iterator, Sequence
from functools import cache

from hydra.core.config_store import ConfigStore
from omegaconf import DictConfig, OmegaConf

from study.config import SCHEMAS, compose, entry_file, groups, options
from study.record.errors import InputError, listed

LAUNCHER = "hydra.launcher"
GROUPS_OF = {"train": "data", "dev": "data"}
"""Config groups of nodes that are not named by theirs."""

KINDS = {"Integer": "a whole number", "Float": "a number", "bool": "true or false"}


def in_a_sentence(error: Exception, arguments: Sequence[str]) -> str:
    """What is wrong with the overrides of a command.

    Args:
        error: Hydra's or OmegaConf's.
        arguments: of the command.
    """
    message = str(error)
    cause = "" if error.__cause__ is None else str(error.__cause__)
    for pattern, words in (
        (r"You must specify '([\w/]+)'", _not_chosen),
        (r"Could not find '([\w/@]+)/([^'/]*)'", _no_such_entry),
        (r"Could not override '([\w./@]+)'", _no_such_option),
        (r"missing mandatory value[^|]*full_key: ([\w.]+)", _not_given),
        (r"(?:merging override|Error merging) ([\w./@]+)=(.*)", _wrong_value),
        (r"Error parsing override '(.*)'\nmissing EQUAL", _no_override),
        (r"Ambiguous value for argument '([\w./@]+)=(.*)'", _several),
    ):
        found = re.search(pattern, message, re.IGNORECASE)
        if found:
            return words(list(found.groups()), cause, arguments)
    return f"{message}: {cause}" if cause and cause not in message else message


def refuse_unknown(config: DictConfig, arguments: Sequence[str] = ()) -> None:
    """Refuse an option that was added with `+` and that nothing reads.

    Raises:
        InputError: in words.
    """
    for name in _added(config):
        raise InputError(_no_such_option([name], "", arguments))


def _not_chosen(found: Sequence[str], _cause: str, arguments: Sequence[str]) -> str:
    """Nothing is chosen of a config group: its name is misspelt, or an option that was given tells what was meant."""
    (group,) = found
    names = [word.lstrip("+").partition("=")[0] for word in arguments]
    for name in names:
        if name.isidentifier() and group in difflib.get_close_matches(name, _names(arguments)) and name not in groups():
            return _no_such_option([name], "", arguments)
    given = next((word.split("=")[0] for word in arguments if re.match(rf"\+*{group}\.\w+=", word)), "")
    entries = entries_with(group, given.partition(".")[2], _task(arguments)) if given else []
    if not entries:
        return f"no {group} is chosen: add {group}=NAME, with one of {', '.join(options(group))}"
    return f"no {group} is chosen: {given} is an option of {listed(entries)}. Add {group}={entries[0]}, for example"


def _no_such_entry(found: Sequence[str], cause: str, arguments: Sequence[str]) -> str:
    group, name = found
    if not name:
        return _not_chosen([group], cause, arguments)
    there = options(group) or sorted(ConfigStore.instance().list(group)) if group in groups() else _launchers()
    near = difflib.get_close_matches(name, there, n=3, cutoff=0.5)
    if near:
        return f"there is no {group} '{name}'. Did you mean {' or '.join(near)}?"
    return f"there is no {group} '{name}': there are {', '.join(there)}"


def _no_such_option(found: Sequence[str], _cause: str, arguments: Sequence[str]) -> str:
    """An option that the component chosen does not have: others do, or it is misspelt."""
    (name,) = found
    where, _, option = name.rpartition(".")
    group = GROUPS_OF.get(where.rpartition(".")[2], where.rpartition(".")[2])
    if where == LAUNCHER:
        return _of_a_launcher(option, arguments)
    entries = entries_with(group, option, _task(arguments)) if group in SCHEMAS else []
    if entries:
        chosen = _chosen(where, arguments)
        here = f"; the {group} here is {chosen}" if chosen else f"; the {group} here has none"
        choice = group if group == where else f"{group}@{where}"
        return f"{name} is an option of {listed(entries)}{here}. For example: {choice}={entries[0]}"
    near = [near for near in difflib.get_close_matches(name, _names(arguments), n=3, cutoff=0.5) if near != name]
    return f"there is no option '{name}'" + (f". Did you mean {' or '.join(near)}?" if near else "")


def _of_a_launcher(option: str, arguments: Sequence[str]) -> str:
    """An option of `hydra.launcher` that the launcher chosen does not have."""
    fields = {name: _launcher_fields(name) for name in ConfigStore.instance().list("schema/launcher")}
    fields = {name.removesuffix(".yaml"): known for name, known in fields.items()}
    chosen = _chosen("hydra/launcher", arguments) or "serial"
    if has_it := [name for name, known in fields.items() if option in known and name != chosen]:
        return (
            f"{LAUNCHER}.{option} is an option of {listed(has_it)}; the launcher here is {chosen}. For example: "
            f"hydra/launcher={has_it[0]}"
        )
    allowed = sorted(fields.get(chosen, set()))
    return f"there is no option '{LAUNCHER}.{option}'. Allowed after {LAUNCHER}. are {', '.join(allowed) or 'none'}"


def _not_given(found: Sequence[str], _cause: str, _arguments: Sequence[str]) -> str:
    (name,) = found
    return f"no value is given for {name}: add {name}=... to the command"


def _wrong_value(found: Sequence[str], cause: str, _arguments: Sequence[str]) -> str:
    """A value that a right option cannot have: what is allowed, and nothing else."""
    name, value = found
    if "is not a ListConfig" in cause:
        return f"{name} is a list, in brackets also where it has one entry: {name}=[{value}]"
    if one_of := re.search(r"Invalid value '(.*)', expected one of \[(.*)\]", cause):
        return (
            f"{name}={value}: expected {one_of[2]}"
            if one_of[1] == value
            else f"{name}: '{one_of[1]}' is none of {one_of[2]}"
        )
    if kind := re.search(r"could not be converted to (\w+)|is not a valid (\w+)", cause):
        wanted = kind[1] or kind[2]
        return f"{name}={value}: expected {KINDS.get(wanted, wanted)}"
    if "is not a subclass of" in cause:
        return f"{name}={value}: {name} has options of its own, {name}.NAME=VALUE"
    return f"{name}={value}: {cause.splitlines()[0] if cause else 'no value for it'}"


def _no_override(found: Sequence[str], _cause: str, _arguments: Sequence[str]) -> str:
    return f"'{found[0]}' is neither a command nor an override: write NAME=VALUE"


def _several(found: Sequence[str], _cause: str, _arguments: Sequence[str]) -> str:
    name, values = found
    as_list = f", or brackets for a list: {name}=[{values}]" if "." in name else ""
    return f"{name}={values} names several: add -m to run each of them{as_list}"


def entries_with(group: str, option: str, task: str | None = None) -> list[str]:
    """Entries of a config group that have an option: those to which it must be given, else those named by its schema.

    Args:
        group: model, data, training ...
        option: name of a field of their schema.
        task: entries of this task come first; None where that is not known.
    """
    having = [name for name in options(group) if option in getattr(schema_of(group, name), "__dataclass_fields__", ())]
    to_give = [name for name in having if OmegaConf.is_missing(_content(group, name), option)]
    inherited = [name for name in having if _parent(group, name) is not None]
    chosen = to_give or [name for name in having if name not in inherited] or having
    return sorted(chosen, key=lambda name: task is not None and _task_of(group, name) != task)


@cache
def schema_of(group: str, name: str) -> type | None:
    """The schema that an entry of a config group takes, itself or through the entry that it is made of."""
    for entry in _content(group, name).get("defaults", []):
        schema = entry.get(f"/schema/{group}@_here_") if isinstance(entry, DictConfig) else None
        if schema is not None:
            return SCHEMAS[group][schema]
    parent = _parent(group, name)
    return None if parent is None else schema_of(group, parent)


@cache
def _content(group: str, name: str) -> DictConfig:
    content = OmegaConf.load(entry_file(group, name))
    assert isinstance(content, DictConfig), f"{group}/{name}.yaml is no mapping"
    return content


def _parent(group: str, name: str) -> str | None:
    """The entry that an entry is made of; None where it takes a schema itself."""
    entries = _content(group, name).get("defaults", [])
    return next((entry for entry in entries if isinstance(entry, str) and entry != "_self_"), None)


def _task_of(group: str, name: str) -> str | None:
    field = getattr(schema_of(group, name), "__dataclass_fields__", {}).get("task")
    return None if field is None else str(field.default)


def _task(arguments: Sequence[str]) -> str | None:
    """The task of the model or the data that a command names."""
    for group in ("model", "data"):
        chosen = _chosen(group, arguments)
        if chosen in options(group):
            return _task_of(group, chosen)
    return None


def _chosen(group: str, arguments: Sequence[str]) -> str:
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


def _launchers() -> list[str]:
    return ["serial", "local_pool", "slurm"]


def _launcher_fields(name: str) -> set[str]:
    """What can be configured of a launcher that has a schema."""
    return {key for key in _keys(ConfigStore.instance().load(f"schema/launcher/{name}").node) if key != "_target_"}


def _names(arguments: Sequence[str]) -> list[str]:
    """Every group and option that a command may set: those of `study prune`, or of a job of the toy classifier."""
    if "prune" in arguments:
        return list(_keys(ConfigStore.instance().load("prune_schema.yaml").node))
    return list(dict.fromkeys([*groups(), *_keys(compose("model=toy_classifier", "data=toy_matched"))]))


def _keys(config: DictConfig, prefix: str = "") -> Iterator[str]:
    for key in config:
        yield f"{prefix}{key}"
        value = config._get_node(key)
        if isinstance(value, DictConfig):
            yield from _keys(value, f"{prefix}{key}.")
