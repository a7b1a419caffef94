"""What transformers says on the terminal, and how much of it a user hears."""

import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager

from transformers.utils import logging as transformers_logging


@contextmanager
def quiet(*, warnings: bool = False) -> Iterator[None]:
    """No progress bar of transformers within the block, and no warning unless `warnings`."""
    bars, verbosity = transformers_logging.is_progress_bar_enabled(), transformers_logging.get_verbosity()
    transformers_logging.disable_progress_bar()
    if not warnings:
        transformers_logging.set_verbosity_error()
    try:
        yield
    finally:
        transformers_logging.set_verbosity(verbosity)
        if bars:
            transformers_logging.enable_progress_bar()


class OncePerKind(logging.Filter):
    """Lets a message of transformers pass once, whatever numbers are in it."""

    def __init__(self) -> None:
        super().__init__()
        self._said: set[str] = set()

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether another program says it, on a handler that it shares, or nothing like it was said before."""
        if not record.name.startswith("transformers"):
            return True
        kind = re.sub(r"\d+", "", record.getMessage())
        new = kind not in self._said
        self._said.add(kind)
        return new


def hear_once() -> None:
    """Let transformers say once what it would say in every pass: a model whose state is put back changes it again."""
    for handler in transformers_logging.get_logger().handlers:
        if not any(isinstance(one, OncePerKind) for one in handler.filters):
            handler.addFilter(OncePerKind())
