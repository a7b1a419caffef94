"""Errors of launchers whose message is meant for the user."""


class LauncherError(Exception):
    """Something that the user can mend; the message says what, where and how."""

    in_words = True


class SilentSlurmError(LauncherError):
    """SLURM's controller does not answer; what runs goes on."""
