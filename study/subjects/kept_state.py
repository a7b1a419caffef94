"""The state of a model that its own forward passes change: what later passes give must not depend on earlier ones.

BigBird turns itself from block-sparse to full attention, for good, when it reads a short text; rotary embeddings of
the kind "dynamic" keep the frequencies of the longest text so far; Reformer counts its buckets by the first text.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from torch import nn


@contextmanager
def kept_state(module: nn.Module) -> Iterator[None]:
    """Put back, at the end of the block, every attribute, part, buffer and setting that was replaced within it."""
    configs = {id(config): config for part in module.modules() if (config := vars(part).get("config")) is not None}
    objects = [*module.modules(), *configs.values()]
    before = [(one, _attributes(one)) for one in objects]
    try:
        yield
    finally:
        for one, attributes in before:
            vars(one).update(attributes)


def _attributes(one: object) -> dict[str, Any]:
    """The attributes by name; the parts and buffers of a module in dictionaries of their own."""
    copied = ("_modules", "_buffers") if isinstance(one, nn.Module) else ()
    return {name: dict(value) if name in copied else value for name, value in vars(one).items()}
