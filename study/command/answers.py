"""What a command line asks that the YAML files alone answer: `--help`, of a job or of a command. Loads no Hydra."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from study.command.help import LIST, PRUNE, help_text
from study.entry_files import FOLDERS
from study.record.errors import InputError

COMMANDS = ("list", "fetch", "prune", "help")
ANALYSES = ("analyse", "analyze", "analysis", "report", "show")
CONFIG_DIR = ("--config-dir", "-cd")
ALONE = ("-m", "--multirun")
HELP_FLAGS = ("-h", "--help")


def answer(arguments: Sequence[str]) -> str | None:
    """What the help says that a command line asks for; None where it asks for none.

    Raises:
        InputError: when its command or a folder of its entries is not there.
    """
    command = command_of(arguments)
    folders, _ = without_config_folders(arguments)
    says_more = command == "list" or any(word != command for word in arguments)
    if says_more and command != "help" and not any(flag in arguments for flag in HELP_FLAGS):
        return None
    with entries_of(folders):
        return {"prune": PRUNE, "list": LIST}.get(command) or help_text()


def command_of(arguments: Sequence[str]) -> str:
    """The command that a command line has beside overrides; empty where it has none.

    Raises:
        InputError: when there is none of this name.
    """
    command = next((word for word in arguments if word.isalpha() and _stands_alone(word, arguments)), "")
    if command and command not in COMMANDS:
        raise InputError(
            f"'{command}' is no command: expected {', '.join(COMMANDS)}, or overrides NAME=VALUE"
            + (". Tables, figures and a page are made by: study report" if command in ANALYSES else "")
        )
    return command


def without_config_folders(arguments: Sequence[str]) -> tuple[list[Path], list[str]]:
    """The folders of `--config-dir FOLDER`, also as `--config-dir=FOLDER` or `-cd FOLDER`, and the other arguments.

    Raises:
        InputError: when one is not there.
    """
    folders, others, words = list[Path](), list[str](), iter(arguments)
    for word in words:
        option, _, value = word.partition("=")
        if option in CONFIG_DIR:
            folders.append(Path(value or next(words, "")))
        else:
            others.append(word)
    for folder in folders:
        if not folder.is_dir():
            raise InputError(f"--config-dir {folder}: there is no such folder")
    return [folder.resolve() for folder in folders], others


@contextmanager
def entries_of(folders: Sequence[Path]) -> Iterator[None]:
    """Look for entries in these folders, too, within the block: those of one command are not the next one's."""
    before = FOLDERS[1:]
    FOLDERS[1:] = folders
    try:
        yield
    finally:
        FOLDERS[1:] = before


def _stands_alone(word: str, arguments: Sequence[str]) -> bool:
    """Whether a word is not the value of the flag before it, as in `--cfg job`."""
    place = arguments.index(word)
    return place == 0 or not arguments[place - 1].startswith("-") or arguments[place - 1] in ALONE
