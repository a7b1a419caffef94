"""Errors whose message is meant for the user: shown in words, without a traceback."""

from collections.abc import Sequence


class StudyError(Exception):
    """Something that the user can mend; the message says what, where and how."""

    in_words = True
    """For launchers, which know no error of ours: show the message alone."""


class InputError(StudyError, ValueError):
    """A file, a configuration value or a model is not what it must be."""


class Interruption(KeyboardInterrupt):
    """Ctrl-C where less is kept than the user would think; the message says what becomes of the work."""


class MissingPackageError(StudyError, ImportError):
    """An optional package is needed and not there; the message says how to install it."""


def listed(names: Sequence[str], most: int = 6) -> str:
    """Names in a sentence, the first ones where there are many: `a, b and c`, `a, b and 7 more`."""
    shown = list(names) if len(names) <= most else [*names[: most - 1], f"{len(names) - most + 1} more"]
    return shown[0] if len(shown) == 1 else f"{', '.join(shown[:-1])} and {shown[-1]}"


def are(number: int, of: str = "") -> str:
    """So many are, or one is; with words of what they are counted: `1 of 5 drafts is`."""
    return f"{number:,}{of} {'is' if number == 1 else 'are'}"
