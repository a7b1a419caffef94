"""Errors whose message is meant for the user: shown in words, without a traceback."""


class StudyError(Exception):
    """Something that the user can mend; the message says what, where and how."""

    in_words = True
    """For launchers, which know no error of ours: show the message alone."""


class InputError(StudyError, ValueError):
    """A file, a configuration value or a model is not what it must be."""


class MissingPackageError(StudyError, ImportError):
    """An optional package is needed and not there; the message says how to install it."""
