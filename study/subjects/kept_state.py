"""The state of a model that its own forward passes change: what later passes give must not depend on earlier ones.

BigBird turns itself from block-sparse to full attention, for good, when it reads a short text; rotary embeddings of
the kind "dynamic" keep the frequencies of the longest text so far; Reformer counts its buckets by the first text.
"""

import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from torch import nn
from transformers.utils.logging import get_logger


@contextmanager
def kept_state(module: nn.Module) -> Iterator[None]:
    """Put back, at the end of the block, every attribute, part, buffer and setting that was replaced within it."""
    objects = [*module.modules(), *{id(c): c for c in map(_config, module.modules()) if c is not None}.values()]
    before = [(one, _attributes(one)) for one in objects]
    try:
        yield
    finally:
        for one, attributes in before:
            vars(one).update(attributes)


def _config(part: nn.Module) -> object | None:
    return vars(part).get("config")


def _attributes(one: object) -> dict[str, Any]:
    """The attributes by name; the parts and buffers of a module in dictionaries of their own."""
    copied = ("_modules", "_buffers") if isinstance(one, nn.Module) else ()
    return {name: dict(value) if name in copied else value for name, value in vars(one).items()}


class FirstOfItsKind(logging.Filter):
    """Lets a message pass once, whatever numbers are in it."""

    def __init__(self) -> None:
        super().__init__()
        self._said: set[str] = set()

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether nothing like it was said before."""
        kind = re.sub(r"\d+", "", record.getMessage())
        new = kind not in self._said
        self._said.add(kind)
        return new


def hear_once() -> None:
    """Let transformers say once what it would say in every pass: a model whose state is put back changes it again."""
    for handler in get_logger().handlers:
        if not any(isinstance(one, FirstOfItsKind) for one in handler.filters):
            handler.addFilter(FirstOfItsKind())
