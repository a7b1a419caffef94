"""A command line: what asks for help or a list is answered at once, anything else goes to `study.command.commands`."""

import sys
from collections.abc import Sequence

from study.command.answers import answer, command_of, entries_of, without_config_folders
from study.record.errors import InputError


def run(arguments: Sequence[str]) -> str | None:
    """Run a command; see `study.command.commands.run`."""
    try:
        if text := answer(arguments):
            print(text)
            return None
        if command_of(arguments) == "list":
            _list(arguments)
            return None
    except InputError as error:
        print("study:", error, file=sys.stderr)
        raise SystemExit(1) from None
    from study.command.commands import run  # loads Hydra, and every schema

    return run(arguments)


def _list(arguments: Sequence[str]) -> None:
    """Print what there is to choose."""
    from study.command.catalogue import print_catalogue  # loads every schema

    folders, words = without_config_folders(arguments)
    words.remove("list")
    with entries_of(folders):
        print_catalogue(words)
