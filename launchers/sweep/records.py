"""What is written of a sweep and its jobs before anything is handed out: all that another process needs to run them."""

import logging
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from hashlib import sha256
from pathlib import Path

from hydra.core.utils import get_valid_filename
from hydra.types import TaskFunction
from omegaconf import OmegaConf

from launchers.config import LauncherConfig
from launchers.sweep.attempt import Attempt, Outcome
from launchers.sweep.files import read_json, write_json
from launchers.sweep.folder import JobEntry, JobFolder, SweepRecord, SweepsFolder
from launchers.sweep.protocol import Task
from launchers.sweep.sweep import Job, Sweep
from launchers.sweep.task import import_paths, task_path

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class JobAssessment:
    """A job, and what its task says about it.

    Attributes:
        entry: the job as it stands in the sweep.
        job: the job as composed.
        remaining: units of work left; None where that is not known.
    """

    entry: JobEntry
    job: Job
    remaining: int | None


def assess(sweep: Sweep) -> list[JobAssessment]:
    """Ask the task about every job.

    Raises:
        LauncherError: when no other process could run the task.
    """
    path = task_path(sweep.task)
    known = []
    for job in sweep.jobs:
        remaining = seconds = None
        if isinstance(sweep.task, Task):
            config = job.task_config
            remaining = sweep.task.remaining(config)
            seconds = sweep.task.estimate(config) if remaining != 0 else None
        id = sha256(f"{path}\n{job.identity}".encode()).hexdigest()[:12]
        known.append(JobAssessment(JobEntry(id, job.name, job.stage, seconds), job, remaining))
    return known


def write_records(folder: SweepsFolder, sweep: Sweep, known: Sequence[JobAssessment]) -> None:
    """Write what each job is, and what of it is done; the caller holds the lock."""
    path = task_path(sweep.task)
    output = str(Path(OmegaConf.select(sweep.config, "hydra.sweep.dir")).absolute())
    for one in known:
        place = folder.job(one.entry.id)
        types = one.job.composition.template.types
        if not place.record.exists() or read_json(place.record)["types"] != types:  # they move with the code
            config = one.job.composition.plain()
            config["hydra"]["sweep"] = {**config["hydra"]["sweep"], "dir": output}  # in the job's process it is later
            entry = {"name": one.entry.name, "stage": one.entry.stage}
            write_json(place.record, {"task": path, **entry, "config": config, "types": types})
        _agree(place, sweep.task, one)


def _agree(place: JobFolder, task: TaskFunction, one: JobAssessment) -> None:
    """What the task says of its results stands above what was noted of earlier attempts.

    A job that ended since the task was asked is asked about again.
    """
    if one.remaining is None:
        return
    done = any(attempt.state is Outcome.DONE for attempt in place.read_attempts())
    if one.remaining == 0 and not done:
        Attempt(Outcome.DONE, value="its results are stored already").write(place.new_attempt())
    elif one.remaining > 0 and done and isinstance(task, Task) and (left := task.remaining(one.job.task_config)):
        place.set_attempts_aside()
        log.info("%s was done, but %d units of its results are not there any more", one.entry.name, left)


def sweep_record(known: Sequence[JobAssessment], launcher: str, settings: LauncherConfig) -> SweepRecord:
    """What is written of the sweep: its name says what it is of and, by a hash, which jobs it has."""
    jobs = tuple(one.entry for one in known)
    digest = sha256("\n".join(sorted(job.id for job in jobs)).encode()).hexdigest()[:6]
    name = f"{get_valid_filename(settings.name or '') or 'sweep'}-{digest}"
    return SweepRecord(name, sys.argv, jobs, launcher, asdict(settings), str(Path.cwd()), import_paths())
