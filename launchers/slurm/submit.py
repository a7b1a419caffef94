"""Submitting jobs to SLURM: under the lock, what is neither done nor under way, as arrays that wait for each other.

A transaction on disk: what will be sent is written before it is sent, and each number that SLURM gives as soon as it is
known, so that a submitter that is killed leaves nothing that is sent twice or never.
"""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from launchers.config import SlurmConfig
from launchers.errors import LauncherError
from launchers.queue import commands as slurm
from launchers.queue.after_job import look_after
from launchers.queue.states import OPEN, JobState, State, look
from launchers.queue.status import counts
from launchers.slurm.sbatch import Scripts
from launchers.slurm.snapshot import take_snapshot
from launchers.sweep.files import stamp
from launchers.sweep.folder import JobEntry, SweepRecord, SweepsFolder
from launchers.sweep.packing import pack_arrays, parallel
from launchers.sweep.submission import AFTER, Submission, SubmissionFolder

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class SubmissionReport:
    """What became of the jobs of a sweep that was to be handed out.

    Attributes:
        states: states of its jobs as they were found.
        sent: jobs that were handed out now.
        numbers: SLURM's numbers of their arrays.
    """

    states: Mapping[str, JobState]
    sent: Sequence[JobEntry] = ()
    numbers: Sequence[str] = ()

    def after(self) -> dict[str, JobState]:
        """The states of the jobs now that some have been sent."""
        sent = {job.id for job in self.sent}
        return {
            id: replace(state, state=State.queued, error="") if id in sent else state
            for id, state in self.states.items()
        }

    def describe(self, name: str, folder: SweepsFolder) -> str:
        """What became of a sweep of this name in a folder."""
        found = counts(self.states)
        before = "".join(f"; {found[state]} {state} before" for state in (State.done, *sorted(OPEN)) if found[state])
        if not self.sent:
            return f"{name}: no job to submit{before}"
        numbers = f"{len(self.sent)} jobs submitted as SLURM {', '.join(self.numbers)}"
        return f"{name}: {numbers}{before}. `study status{folder.option()}` shows them"


def submit_jobs(folder: SweepsFolder, sweep: SweepRecord, settings: SlurmConfig) -> SubmissionReport:
    """Submit the jobs of a sweep that are neither done nor under way; the caller holds the lock.

    Raises:
        LauncherError: when SLURM cannot be asked or takes nothing; what was sent by then is known to the next attempt.
    """
    states = look(folder, [job.id for job in sweep.jobs])
    jobs = [job for job in sweep.jobs if states[job.id].is_free]
    if not jobs and not (_is_followed(settings) and _lacks_after(folder, sweep)):
        return SubmissionReport(states)
    return _submit_jobs(folder, sweep, settings, states, jobs, pack=settings.pack)


def _lacks_after(folder: SweepsFolder, sweep: SweepRecord) -> bool:
    """Whether what comes after the last job is neither done nor under way."""
    after = look_after(folder, sweep)
    return after is None or after.state not in {*OPEN, State.done}


def recover(folder: SweepsFolder, sweep: SweepRecord, settings: SlurmConfig) -> SubmissionReport:
    """Submit again what was lost, a job an element, as often as `retries` allows; the caller holds the lock.

    So are jobs that failed in a later stage than the first in which one was lost: their input may have been missing.

    Raises:
        LauncherError: when SLURM cannot be asked or takes nothing.
    """
    states = look(folder, [job.id for job in sweep.jobs])
    lost = [job for job in sweep.jobs if states[job.id].state is State.lost and _may_recover(states[job.id], settings)]
    if not lost:
        return SubmissionReport(states)
    first = min(job.stage for job in lost)
    later = [job for job in sweep.jobs if states[job.id].state is State.failed and job.stage > first]
    recovery = 1 + max(holder.submission.recovery for job in lost if (holder := states[job.id].holder))
    return _submit_jobs(folder, sweep, settings, states, [*lost, *later], pack=1, recovery=recovery)


def _may_recover(state: JobState, settings: SlurmConfig) -> bool:
    """Whether trying again is allowed: not for ever."""
    return state.holder is not None and state.holder.submission.recovery < settings.retries


def _submit_jobs(
    folder: SweepsFolder,
    sweep: SweepRecord,
    settings: SlurmConfig,
    states: Mapping[str, JobState],
    jobs: Sequence[JobEntry],
    *,
    pack: int,
    recovery: int = 0,
) -> SubmissionReport:
    submission = Submission(
        name=stamp(),
        sweep=sweep.name,
        launcher="slurm",
        arrays=pack_arrays(jobs, pack, settings.max_array or slurm.max_array_size()),
        at_once=settings.at_once,
        retries=settings.retries,
        requeues=settings.requeues,
        recovery=recovery,
    )
    for job in jobs:
        folder.job(job.id).cancelled.unlink(missing_ok=True)
    place = folder.submission(submission.name)
    paths = take_snapshot(sweep.paths, place.code, folder.path) if settings.snapshot else sweep.paths
    place.write(submission)
    scripts = Scripts(place, settings, sweep.folder, paths)
    return SubmissionReport(states, jobs, _send(scripts, submission, _still_open(states, jobs)))


def _send(scripts: Scripts, submission: Submission, before: Mapping[int, Sequence[str]]) -> list[str]:
    """Send one array after the other, and the job after the last one.

    Args:
        scripts: writes what sbatch gets.
        submission: what is sent.
        before: arrays of the same sweep that are under way, by stage.
    """
    by_stage: dict[int, list[str]] = {stage: list(numbers) for stage, numbers in before.items()}
    settings, numbers = scripts.settings, []
    for number, array in enumerate(submission.arrays):
        earlier = [id for stage, ids in by_stage.items() if stage < array.stage for id in ids]
        most = parallel(submission.arrays, array, settings.array_parallelism)
        try:
            numbers.append(_submit(scripts.place, number, scripts.array(number, array, parallel=most, after=earlier)))
        except LauncherError as error:
            raise _cut_short(error, submission, numbers) from error
        by_stage.setdefault(array.stage, []).append(numbers[-1])
    if _is_followed(settings):
        text = scripts.after_last([id for ids in by_stage.values() for id in ids])
        try:
            log.info("after the last job: SLURM %s", _submit(scripts.place, AFTER, text))
        except LauncherError as error:  # a partition for GPUs only, for instance
            log.warning("what comes after the last job was not sent (hydra.launcher.after): %s", error)
    return numbers


def _cut_short(error: LauncherError, submission: Submission, numbers: Sequence[str]) -> LauncherError:
    """The error of an array that SLURM did not take, with what it took before."""
    if not numbers:
        return error
    sent = sum(len(pack) for array in submission.arrays[: len(numbers)] for pack in array.packs)
    every = sum(len(pack) for array in submission.arrays for pack in array.packs)
    words = f"{sent} of {every} jobs are sent (SLURM {', '.join(numbers)}), the others are not: {error}"
    return type(error)(f"{words}. The same command sends the rest")


def _is_followed(settings: SlurmConfig) -> bool:
    """Whether something comes after the last array."""
    return bool(settings.after.command or settings.after.sync)


def _submit(place: SubmissionFolder, array: int | str, text: str) -> str:
    """Send a script; what its number is, is on disk when this returns."""
    script = place.script(array)
    script.write_text(text, encoding="utf-8")
    number = slurm.submit(script, place.job_name(array))
    place.note_id(array, number)
    return number


def _still_open(states: Mapping[str, JobState], sent: Sequence[JobEntry]) -> dict[int, list[str]]:
    """Arrays of jobs that are under way already, by stage: what is sent now may have to wait for them."""
    ids = {job.id for job in sent}
    found: dict[int, set[str]] = {}
    for id, state in states.items():
        if id not in ids and state.state in OPEN and state.holder and state.holder.number:
            stage = state.holder.submission.arrays[state.holder.array].stage
            found.setdefault(stage, set()).add(state.holder.number)
    return {stage: sorted(numbers) for stage, numbers in found.items()}
