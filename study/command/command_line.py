"""A command line: what asks for help is answered at once, anything else goes to `study.command.commands`."""

from collections.abc import Sequence
from contextlib import suppress

from study.command.answers import answer
from study.record.errors import InputError


def run(arguments: Sequence[str]) -> str | None:
    """Run a command; see `study.command.commands.run`."""
    with suppress(InputError):  # the commands say it in words
        if text := answer(arguments):
            print(text)
            return None
    from study.command.commands import run  # loads Hydra, and every schema

    return run(arguments)
