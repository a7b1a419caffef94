"""A submission: what was handed out at once, as packs of jobs in arrays; `SubmissionFolder` knows its files.

submission.json    what is in it; written before anything is sent
array-<k>.sh       what sbatch got, array-<k>.id the number that SLURM gave it
array-<k>_<e>.log  what an element printed: the set-up lines, the worker's own words
after.*            the same files of the job after the last array; after.json: its exit status
worker.pid         of a local pool: its host and process; locked while it lives
code/              a snapshot of the code
"""

import contextlib
import fcntl
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from launchers.sweep.files import read_json, write_json

AFTER = "after"
"""In the place of an array's number: the job after the last one."""


@dataclass(frozen=True)
class Array:
    """Packs of jobs that may run at the same time.

    Attributes:
        stage: stage of the jobs.
        packs: ids of jobs; a pack is an element of a SLURM array.
    """

    stage: int
    packs: tuple[tuple[str, ...], ...]


@dataclass(frozen=True)
class Submission:
    """What was handed out at once.

    Attributes:
        name: name of the submission and of its folder.
        sweep: name of the sweep that asked for it.
        launcher: `slurm` or `local_pool`.
        arrays: those of a higher stage start when those of the lower ones have ended.
        at_once: jobs of a pack that run beside each other; 0: all of them.
        retries: how often a killed job is tried again.
        requeues: how often an element goes back to the queue that runs into its time limit.
        recovery: how often what was lost had been sent again by itself before; 0 where a user asked for it.
    """

    name: str
    sweep: str
    launcher: str
    arrays: tuple[Array, ...]
    at_once: int = 1
    retries: int = 1
    requeues: int = 20
    recovery: int = 0


class SubmissionFolder:
    """Where a submission stands; the only place that knows the names of its files."""

    def __init__(self, path: Path) -> None:
        self.path = path.absolute()
        self.name = path.name
        self.code = self.path / "code"
        self._pid = self.path / "worker.pid"

    def write(self, submission: Submission) -> None:
        """Write what is in it, once."""
        write_json(self.path / "submission.json", asdict(submission), sync=True)

    def read(self) -> Submission:
        """What is in it."""
        record = read_json(self.path / "submission.json")
        arrays = (Array(a["stage"], tuple(map(tuple, a["packs"]))) for a in record["arrays"])
        return Submission(**{**record, "arrays": tuple(arrays)})

    def script(self, array: int | str) -> Path:
        """What sbatch gets."""
        return self.path / f"{_stem(array)}.sh"

    def log(self, array: int | str, element: int | str) -> Path:
        """What an element prints; `%a` stands for its number in sbatch's patterns."""
        return self.path / (f"{_stem(array)}_{element}.log" if array != AFTER else "after.log")

    def note_id(self, array: int | str, number: str) -> None:
        """Keep the number that SLURM gave an array."""
        path = self.path / f"{_stem(array)}.id"
        if not path.exists():
            path.with_suffix(".id.tmp").write_text(f"{number}\n")
            path.with_suffix(".id.tmp").replace(path)

    def read_id(self, array: int | str) -> str | None:
        """The number that SLURM gave an array; None where it is not known."""
        try:
            return (self.path / f"{_stem(array)}.id").read_text().strip()
        except FileNotFoundError:
            return None

    def note_after(self, status: int) -> None:
        """Keep the exit status of the job after the last array."""
        write_json(self.path / "after.json", {"exit_status": status}, sync=True)

    def after_status(self) -> int | None:
        """The exit status of the job after the last array; None where it has not ended."""
        path = self.path / "after.json"
        return read_json(path)["exit_status"] if path.exists() else None

    def job_name(self, array: int | str) -> str:
        """The name of an array in the queue, which no other has."""
        return f"{self.name}.{array}"

    @contextmanager
    def alive(self) -> Iterator[None]:
        """Show that the process of a local pool lives, as long as it does."""
        with self._pid.open("a+") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            file.truncate(0)
            file.write(f"{socket.gethostname()} {os.getpid()}\n")
            file.flush()
            yield

    def is_alive(self) -> bool:
        """Whether the process of its local pool lives."""
        with contextlib.suppress(FileNotFoundError), self._pid.open() as file:
            try:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                return True
        return False

    def process(self) -> tuple[str, int]:
        """Host and process of its local pool."""
        host, pid = self._pid.read_text().split()
        return host, int(pid)


def _stem(array: int | str) -> str:
    return AFTER if array == AFTER else f"array-{array}"
