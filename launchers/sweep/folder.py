"""The folder of all sweeps: what stands where, each file written whole and by one writer at a time.

slurm-is-silent                  there while SLURM does not answer, since the time of the file
lock                             held while somebody submits, cancels or retries
<sweep>.json                     a sweep: which jobs, in their order
jobs/<job id>/                   a job, whichever sweeps ask for it: see `JobFolder`
submissions/<id>/                what was handed out at once: see `launchers.sweep.submission`
"""

import errno
import fcntl
import logging
import os
import shlex
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from launchers.errors import LauncherError
from launchers.sweep.attempt import Attempt, read_attempt
from launchers.sweep.files import read_json, stamp, write_json
from launchers.sweep.submission import SubmissionFolder

log = logging.getLogger(__name__)

USUAL = "sweeps"
"""Where sweeps are kept, in the working directory."""


@dataclass(frozen=True)
class JobEntry:
    """What a sweep says of one of its jobs.

    Attributes:
        id: hash of its task and configuration.
        name: its overrides, as shown to people.
        stage: jobs of a lower stage come first.
        seconds: it was expected to take; None where that was not known.
    """

    id: str
    name: str
    stage: int = 0
    seconds: float | None = None


@dataclass(frozen=True)
class SweepRecord:
    """A sweep as it stands on disk.

    Attributes:
        name: also of its file.
        command: the command line that it came from.
        jobs: in their order.
        launcher: `slurm` or `local_pool`, and
        settings: how it was configured: `retry` uses them again.
        folder: where the command was given: the working directory of the jobs.
        paths: folders in which they find the program's modules.
    """

    name: str
    command: Sequence[str]
    jobs: tuple[JobEntry, ...]
    launcher: str
    settings: dict[str, Any]
    folder: str
    paths: Sequence[str] = ()
    written: str = field(default_factory=lambda: datetime.now(UTC).isoformat(timespec="seconds"))


class JobFolder:
    """Where one job stands; the only place that knows the names of its files."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @property
    def id(self) -> str:
        """The job's id."""
        return self.path.name

    @property
    def record(self) -> Path:
        """What the job is."""
        return self.path / "job.json"

    @property
    def attempts(self) -> Path:
        """The folder of its attempts."""
        return self.path / "attempts"

    @property
    def log(self) -> Path:
        """What it printed."""
        return self.path / "log.txt"

    @property
    def cancelled(self) -> Path:
        """There when the user took it back."""
        return self.path / "cancelled"

    def new_attempt(self) -> Path:
        """The file of an attempt that begins now; the names are in the order of time."""
        return self.attempts / f"{stamp()}.json"

    def set_attempts_aside(self) -> None:
        """Let the job begin anew: its results are not there any more."""
        if self.attempts.is_dir():
            self.attempts.rename(self.path / f"attempts-before-{stamp()}")

    def read_attempts(self) -> list[Attempt]:
        """All attempts, the first one first."""
        try:
            names = os.listdir(self.attempts)  # noqa: PTH208
        except FileNotFoundError:
            return []
        return [
            read_attempt(self.attempts / name) for name in sorted(names) if name.endswith(".json") and name[0] != "."
        ]


class SweepsFolder:
    """The folder of all sweeps; the only place that knows where things stand in it."""

    def __init__(self, path: Path) -> None:
        self.path = path.absolute()
        self._jobs = self.path / "jobs"
        self.silent = self.path / "slurm-is-silent"

    def option(self) -> str:
        """What commands must be told to find it: nothing where it stands in its usual place."""
        return "" if self.path == Path(USUAL).absolute() else f" --folder {shlex.quote(str(self.path))}"

    def job(self, id: str) -> JobFolder:
        """The folder of a job."""
        return JobFolder(self._jobs / id)

    def submission(self, name: str) -> SubmissionFolder:
        """The folder of a submission."""
        return SubmissionFolder(self.path / "submissions" / name)

    def submission_folders(self) -> list[SubmissionFolder]:
        """The folders of all submissions, the first one first."""
        written = (self.path / "submissions").glob("*/submission.json")
        return [SubmissionFolder(path.parent) for path in sorted(written)]

    def write_sweep(self, sweep: SweepRecord) -> None:
        """Write or replace a sweep; it is the latest from now on."""
        write_json(self.path / f"{sweep.name}.json", asdict(sweep))

    def sweeps(self) -> list[Path]:
        """The files of all sweeps, the latest last."""
        return sorted(self.path.glob("*.json"), key=lambda path: path.stat().st_mtime_ns)

    def read_sweep(self, name: str | None = None) -> SweepRecord:
        """The sweep of this name or with this beginning of one; without a name the latest.

        Raises:
            LauncherError: when there is none, or more than one.
        """
        sweeps = self.sweeps()
        if not sweeps:
            raise LauncherError(f"no sweep in {self.path}: --folder names another folder")
        found = [path for path in sweeps if path.stem.startswith(name)] if name else sweeps[-1:]
        found = [path for path in found if path.stem == name] or found
        if len(found) != 1:
            what = f"{len(found)} sweeps begin" if found else "no sweep begins"
            there = ", ".join(path.stem for path in found or sweeps)
            raise LauncherError(f"{what} with '{name}' in {self.path}; there are {there}")
        record = read_json(found[0])
        return SweepRecord(**{**record, "jobs": tuple(JobEntry(**job) for job in record["jobs"])})

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Wait for, then hold, the right to hand out jobs; a process that dies loses it.

        Raises:
            LauncherError: when the folder cannot be written, before or within the block.
        """
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            file = (self.path / "lock").open("w")
        except OSError as error:
            raise LauncherError(f"cannot write to {self.path}: {error.strerror or error}") from error
        with file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                log.info("waiting for another process that hands out jobs of %s", self.path)
                fcntl.flock(file, fcntl.LOCK_EX)
            except OSError as error:
                if error.errno not in {errno.ENOLCK, errno.ENOTSUP, errno.ENOSYS}:
                    raise
                log.warning("%s: this file system has no locks: submit from one process at a time", self.path)
            try:
                yield
            except OSError as error:
                raise LauncherError(f"{self.path}: {error}") from error
