"""The nearest right name to a misspelt override, added to Hydra's message."""

import difflib
import re
from collections.abc import Iterator

from hydra.core.config_store import ConfigStore
from omegaconf import DictConfig

from study.config import SCHEMAS, compose, groups, options

LAUNCHER = "hydra.launcher."


def nearest_names(error: Exception) -> str:
    """The message of a Hydra or OmegaConf error, with the nearest allowed name where one was misspelt."""
    message = str(error)
    if error.__cause__ is not None and str(error.__cause__) not in message:
        message += f": {error.__cause__}"
    mandatory = re.search(r"missing mandatory value: (\w+)", message)
    if mandatory:
        return f"no value is given for '{mandatory[1]}': add it to the command, for example model.{mandatory[1]}=..."
    single = re.search(r"override ([\w.]+)=(.*): Invalid value assigned: \w+ is not a ListConfig", message)
    if single:
        return f"{single[1]} is a list, in brackets also where it has one entry: {single[1]}=[{single[2]}]"
    wrong = _misspelt(message)
    if wrong is None:
        return message
    if wrong.startswith(LAUNCHER):
        return f"{message}\nAllowed after {LAUNCHER} are {', '.join(sorted(_launcher_fields()))}"
    has_it = _elsewhere(wrong)
    if has_it:
        group, option = wrong.split(".")
        return (
            f"{message}\n{option} is an option of {' and '.join(has_it)}, of another {group} than this one. "
            f"In a sweep over {group}s, options that not all have stand in an experiment's params"
        )
    group, _, name = wrong.rpartition("/")
    allowed = options(group) if group else [*groups(), *_keys(compose())]
    near = difflib.get_close_matches(name if group else wrong, list(allowed), n=3, cutoff=0.5)
    return f"{message}\nDid you mean {' or '.join(near)}?" if near else message


def _misspelt(message: str) -> str | None:
    """The name that was not found, as Hydra and OmegaConf word it."""
    for pattern in (r"Could not find '([\w/]+)'", r"full_key: ([\w.]+)", r"Could not override '([\w./@]+)'"):
        match = re.search(pattern, message)
        if match:
            return match[1]
    return None


def _launcher_fields() -> set[str]:
    """What can be configured of the launchers that have a schema."""
    store = ConfigStore.instance()
    schemas = (store.load(f"schema/launcher/{name}").node for name in store.list("schema/launcher"))
    return {key for schema in schemas for key in _keys(schema) if key != "_target_"}


def _elsewhere(name: str) -> list[str]:
    """The schemas of a config group that have the option `group.option`, which the one composed has not."""
    group, _, option = name.partition(".")
    return [kind for kind, schema in SCHEMAS.get(group, {}).items() if option in schema.__dataclass_fields__]


def _keys(config: DictConfig, prefix: str = "") -> Iterator[str]:
    for key in config:
        yield f"{prefix}{key}"
        value = config._get_node(key)
        if isinstance(value, DictConfig):
            yield from _keys(value, f"{prefix}{key}.")
