"""Work under way, kept in the results folder for whoever looks on: what a sweep is going to do, and which jobs run.

    results/progress/sweep-<name>.json     the jobs of a sweep, in their order
    results/progress/job-<run id>.json     a job that runs, or whose last run failed; gone once it is done

Jobs are known by their request: names, measure and options, which are known before model and data are. Nothing here
decides a number, and a results folder without it lacks nothing.
"""

import os
import socket
import time
from collections import Counter
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import psutil

from study.record.errors import StudyError
from study.record.files import is_folder_name, read_sealed, short_hash, write_sealed
from study.tracking.run import Run, request_id

FOLDER = "progress"
"""In the results folder."""

CLOCK_STEPS = 5.0
"""Seconds by which the start of one process may seem to move, as clocks are put right."""


@dataclass(frozen=True)
class Process:
    """The process that does a work.

    Attributes:
        host: its machine.
        pid: its number there, which is given to another process once it has ended.
        started: when it started, in seconds since 1970; None where that was not written down.
    """

    host: str = field(default_factory=socket.gethostname)
    pid: int = field(default_factory=os.getpid)
    started: float | None = field(default_factory=lambda: psutil.Process().create_time())

    @property
    def is_gone(self) -> bool:
        """Whether it is known to have ended; of another machine that is never known."""
        if self.host != socket.gethostname():
            return False
        try:
            began = psutil.Process(self.pid).create_time()
        except psutil.NoSuchProcess:
            return True
        except psutil.AccessDenied:  # it lives, and is another user's
            return False
        return self.started is not None and abs(began - self.started) > CLOCK_STEPS


@dataclass(frozen=True)
class Request:
    """A job of a sweep as it is known before it starts.

    Attributes:
        id: see `request_id`.
        name: as shown to people.
        measure: name of its measure.
        model: short name of its model.
    """

    id: str
    name: str
    measure: str
    model: str

    @classmethod
    def of(cls, run: Run, *, with_seeds: bool = False) -> "Request":
        """The request that a run answers; its name says the seeds of its model where that is asked for."""
        return cls(request_id(run), run.full_name if with_seeds else run.name, run.measure, run.model)


@dataclass(frozen=True)
class Agenda:
    """What a sweep is going to do.

    Attributes:
        name: name of the sweep: that of its experiment, or when it began.
        jobs: its jobs, in their order.
        process: what runs them.
        began: seconds since 1970.
    """

    name: str
    jobs: tuple[Request, ...]
    process: Process = field(default_factory=Process)
    began: float = field(default_factory=time.time)

    @classmethod
    def of(cls, name: str, runs: Iterable[Run]) -> "Agenda":
        """What a sweep of these runs is going to do; of runs that share a name the seeds are said."""
        distinct = {request_id(run): run for run in runs}
        names = Counter(run.name for run in distinct.values())
        return cls(name, tuple(Request.of(run, with_seeds=names[run.name] > 1) for run in distinct.values()))

    def write(self, results: Path) -> None:
        """Write it, in place of what this sweep was going to do before."""
        file = self.name if is_folder_name(self.name) else short_hash(self.name)
        write_sealed(results / FOLDER / f"sweep-{file}.json", asdict(self))


@dataclass(frozen=True)
class ActiveJob:
    """A job that runs, or whose last run failed.

    Attributes:
        run: id of its run.
        request: what it does.
        folder: folder of its setting or training, relative to the results folder.
        left: units of work that were left when it began: rows, of a training steps.
        process: what runs it.
        began: seconds since 1970.
        error: why it ended before it was done, in words; empty while it runs.
    """

    run: str
    request: Request
    folder: str
    left: int
    process: Process = field(default_factory=Process)
    began: float = field(default_factory=time.time)
    error: str = ""

    def write(self, results: Path) -> None:
        """Write it, in place of what was known of this run before."""
        write_sealed(_file(self.run, results), asdict(self))


def remove_active_job(run: str, results: Path) -> None:
    """Forget a job that is done."""
    with suppress(OSError):
        _file(run, results).unlink(missing_ok=True)


def read_agendas(results: Path) -> list[Agenda]:
    """What sweeps were going to do, the latest first; files that are not whole are left out."""
    found = [_agenda(content) for content in _read(results, "sweep")]
    return sorted(found, key=lambda agenda: -agenda.began)


def read_active_jobs(results: Path) -> list[ActiveJob]:
    """The jobs that run or have failed, the latest first; files that are not whole are left out."""
    found = [_active(content) for content in _read(results, "job")]
    return sorted(found, key=lambda job: -job.began)


def failure(error: BaseException) -> str:
    """Why a job ended before it was done, in words."""
    if isinstance(error, KeyboardInterrupt):
        return "stopped; what was computed is stored"
    words = str(error).strip()
    return words if isinstance(error, StudyError) and words else f"{type(error).__name__}: {words}".rstrip(": ")


def _file(run: str, results: Path) -> Path:
    return results / FOLDER / f"job-{run}.json"


def _read(results: Path, what: str) -> list[dict[str, Any]]:
    found = []
    for path in (results / FOLDER).glob(f"{what}-*.json"):
        with suppress(OSError, ValueError):  # it has just ended, or was cut
            found.append(read_sealed(path))
    return found


def _agenda(content: dict[str, Any]) -> Agenda:
    jobs = tuple(_known(Request, job) for job in content["jobs"])
    return _known(Agenda, {**content, "jobs": jobs, "process": _process(content)})


def _active(content: dict[str, Any]) -> ActiveJob:
    request, process = _known(Request, content["request"]), _process(content)
    return _known(ActiveJob, {**content, "request": request, "process": process})


def _process(content: dict[str, Any]) -> Process:
    return _known(Process, {"started": None, **content["process"]})


Kind = TypeVar("Kind")


def _known(kind: type[Kind], content: dict[str, Any]) -> Kind:
    """An object of a class from what is known by its names; a later version may have written more."""
    return kind(**{name: content[name] for name in content if name in kind.__dataclass_fields__})  # type: ignore[attr-defined]
