"""A composed config as plain values with the names of its types, and back again as typed as Hydra composed it.

No code is pickled: another process finds classes and functions by their import paths. A script that was run as
`python app.py` is the module `app`, as its folder is among those where that process looks.
"""

import importlib
import sys
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf


def plain_values(config: DictConfig) -> dict[str, Any]:
    """The values of a config, interpolations as they are written; fit for JSON but for paths."""
    values = OmegaConf.to_container(config, resolve=False, enum_to_str=True)
    assert isinstance(values, dict)
    return {str(key): value for key, value in values.items()}


def node_types(config: DictConfig) -> dict[str, str]:
    """Import paths of the dataclasses of a config by where they stand (`""`: the whole, `model`, `hydra.job` ...)."""
    found = {}

    def walk(node: DictConfig, where: str) -> None:
        kind = OmegaConf.get_type(node)
        if kind is not dict and isinstance(kind, type):
            found[where] = import_path(kind)
        if node._is_none() or node._is_missing() or node._is_interpolation():
            return
        for key in node:
            child = node._get_node(key)
            if isinstance(child, DictConfig) and where != "hydra":  # HydraConf brings its own types
                walk(child, f"{where}.{key}".lstrip("."))

    walk(config, "")
    return found


def compose_again(values: dict[str, Any], types: dict[str, str]) -> DictConfig:
    """The config that `plain_values` and `node_types` were taken of.

    Raises:
        ImportError, AttributeError: when a class is not there any more.
    """
    config = OmegaConf.create() if "" not in types else OmegaConf.structured(imported(types[""]))
    nodes = [config]
    for where, path in types.items():  # a parent stands before its children
        if where:
            OmegaConf.update(config, where, OmegaConf.structured(imported(path)), merge=False, force_add=True)
            nodes.append(OmegaConf.select(config, where))
    for node in nodes:
        OmegaConf.set_struct(node, False)  # Hydra's packages add keys to typed nodes
    config.merge_with(values)
    if "hydra" in values:
        for key in set(config.hydra) - set(
            values["hydra"]
        ):  # its defaults list, which Hydra takes out when it composes
            del config.hydra[key]
    for node in nodes:
        OmegaConf.set_struct(node, None)
    OmegaConf.set_struct(config, True)
    return config


def import_path(thing: Any) -> str:
    """`module:name` of a class or function.

    Raises:
        ValueError: when it is not at the top of a module, so that no other process could find it.
    """
    name, module = thing.__qualname__, thing.__module__
    if "<" in name:
        raise ValueError(f"{name} of {module} has no import path: define it at the top of a module")
    if module == "__main__":
        main = sys.modules["__main__"]
        spec = getattr(main, "__spec__", None)
        module = spec.name if spec is not None else Path(str(main.__file__)).stem
    return f"{module}:{name}"


def imported(path: str) -> Any:
    """What stands at an import path."""
    module, _, name = path.rpartition(":")
    found: Any = importlib.import_module(module)
    for part in name.split("."):
        found = getattr(found, part)
    return found
