"""Ctrl-C: said in words, by whichever program was started; its imports are within what is guarded."""

import sys
from collections.abc import Callable

INTERRUPTED = 130
"""The exit status of what was stopped by Ctrl-C."""


def until_interrupted(run: Callable[[], int]) -> int:
    """Run a command to its end, or until Ctrl-C; its exit status."""
    try:
        return run()
    except KeyboardInterrupt as stop:
        print(f"study: stopped. {stop}".rstrip(". "), file=sys.stderr)
        return INTERRUPTED
