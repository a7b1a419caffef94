"""What is said once a process, however many jobs have reason to say it."""

from collections.abc import Callable
from functools import cache


@cache
def say_once(say: Callable[..., None], message: str, *values: object) -> None:
    """Log a message of these values, by a method of a logger, unless this process has logged it before."""
    say(message, *values)
