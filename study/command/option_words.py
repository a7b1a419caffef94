"""What each option of an entry is, in the words of the docstring of the class that has it."""

import inspect
import re
from collections.abc import Iterator
from enum import Enum
from functools import cache
from typing import Any

from omegaconf import DictConfig, OmegaConf


def options_in_words(config: DictConfig, where: str, usual: str = "") -> Iterator[tuple[str, Any, str]]:
    """The options of a composed entry as overrides name them, their values, and what each is.

    Args:
        config: the entry.
        where: what the names of its options begin with.
        usual: what an option is of which nothing else is said.
    """
    known = words(OmegaConf.get_type(config))
    values: Any = OmegaConf.to_container(config, resolve=False, enum_to_str=True)
    for key in config:
        name, node, said = f"{where}.{key}", config._get_node(key), known.get(str(key), usual)
        if isinstance(node, DictConfig) and not node._is_none() and not node._is_missing() and len(node):
            yield from options_in_words(node, name, said if OmegaConf.get_type(node) is dict else "")
        else:
            yield name, values[key], " ".join(filter(None, [_choices(node), said]))


def _choices(node: Any) -> str:
    """The names of which a value is one, or a list has some; empty where it may be any."""
    metadata = node._metadata
    kind = next((each for each in (metadata.ref_type, getattr(metadata, "element_type", None)) if _is_enum(each)), None)
    return "" if kind is None else f"({', '.join(member.name for member in kind)})"


def _is_enum(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, Enum)


@cache
def words(kind: Any) -> dict[str, str]:
    """The attributes of a class by name, as its docstring explains them, else those of its bases."""
    found: dict[str, str] = {}
    for base in reversed(getattr(kind, "__mro__", ())):
        found |= _attributes(inspect.cleandoc(vars(base).get("__doc__") or ""))
    return found


def _attributes(text: str) -> dict[str, str]:
    """The entries of the section `Attributes` of a docstring (Google style), each in one line."""
    section = re.search(r"^Attributes:\n((?:(?: {4}.*)?\n?)*)", text, re.MULTILINE)
    entries = re.findall(r"^ {4}(\w+): (.*(?:\n {8}.*)*)", section[1] if section else "", re.MULTILINE)
    return {name: " ".join(lines.split()) for name, lines in entries}
