"""An attempt: one start of a job, kept in a file of its own from its beginning to its end.

The worker writes it when it starts the job's process; the process rewrites it with its outcome; a worker whose process
died without a word says so in its place. One at a time, so nothing is ever half written or overwritten by a stranger.
"""

import socket
import time
from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import Any

from launchers.sweep.files import read_json, write_json


class Outcome(StrEnum):
    """What became of an attempt."""

    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"  # the job raised an error
    KILLED = "killed"  # by a signal that was not ours; may go better the next time
    CRASHED = "crashed"  # by a signal of its own making: a segmentation fault, an abort
    STOPPED = "stopped"  # by us, with what it had stored: time limit, preemption, Ctrl-C


@dataclass(frozen=True)
class Attempt:
    """One start of a job.

    Attributes:
        state: what became of it.
        submission: name of the submission that it belongs to; empty where the task said that nothing remains.
        element: `<array>_<index>` of the pack in it.
        restart: how often SLURM had restarted the element.
        host: the machine where it ran.
        pid: number of its process there.
        started: seconds since 1970.
        ended: seconds since 1970; None while it runs, and for ever when its worker died too.
        error: what went wrong, in words.
        value: what the task returned.
    """

    state: Outcome
    submission: str = ""
    element: str = ""
    restart: int = 0
    host: str = ""
    pid: int = 0
    started: float = 0.0
    ended: float | None = None
    error: str | None = None
    value: Any = None

    @classmethod
    def begin(cls, submission: str, element: str, restart: int) -> "Attempt":
        """One that starts now, on this machine."""
        return cls(Outcome.RUNNING, submission, element, restart, socket.gethostname(), started=time.time())

    def end(self, state: Outcome, error: str | None = None, value: Any = None) -> "Attempt":
        """This attempt, ended now."""
        return replace(self, state=state, error=error, value=value, ended=time.time())

    def write(self, path: Path) -> None:
        """Write the file whole, and so that it survives a power cut."""
        write_json(path, asdict(self), sync=True)


def read_attempt(path: Path) -> Attempt:
    """The attempt of a file."""
    values = read_json(path)
    return Attempt(**{**values, "state": Outcome(values["state"])})
