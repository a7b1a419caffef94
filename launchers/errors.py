"""Errors of launchers whose message is meant for the user."""


class LauncherError(Exception):
    """Something that the user can mend; the message says what, where and how."""

    in_words = True


class SilentSlurmError(LauncherError):
    """SLURM's controller does not answer; what runs goes on."""


def message(error: BaseException) -> str:
    """The message of an error meant for users; of any other, its type as well."""
    return str(error) if getattr(error, "in_words", False) else f"{type(error).__name__}: {error}"
