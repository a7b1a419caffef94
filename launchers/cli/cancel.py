"""Taking jobs back: SLURM cancels elements with nothing else to do, workers stop the jobs of the others."""

from collections.abc import Iterable, Sequence

from launchers.queue import commands as slurm
from launchers.queue.states import OPEN, Holder, look
from launchers.sweep.attempt import Outcome
from launchers.sweep.folder import JobEntry, SweepsFolder
from launchers.sweep.submission import AFTER


def cancel_jobs(folder: SweepsFolder, jobs: Sequence[JobEntry]) -> list[JobEntry]:
    """Cancel jobs; the caller holds the lock.

    Returns:
        Those that waited or ran.

    Raises:
        LauncherError: when SLURM has some of them and cannot be asked.
    """
    states = look(folder, [job.id for job in jobs], patient=False)
    taken = [job for job in jobs if states[job.id].state in OPEN]
    for job in taken:
        folder.job(job.id).cancelled.touch()
    holders = [holder for job in taken if (holder := states[job.id].holder) and holder.number]
    elements = {holder.name: holder for holder in holders}
    numbers = [name for name, holder in elements.items() if _is_idle(folder, holder)]
    submissions = {holder.folder.name: holder for holder in holders}
    numbers += filter(None, (_after(folder, holder) for holder in submissions.values()))
    if numbers:
        slurm.cancel(numbers)
    return taken


def _is_idle(folder: SweepsFolder, holder: Holder) -> bool:
    """Whether every job of an element is cancelled or has ended."""
    pack = holder.submission.arrays[holder.array].packs[holder.element]
    jobs = (folder.job(id) for id in pack)
    return all(job.cancelled.exists() or _has_ended(attempt.state for attempt in job.read_attempts()) for job in jobs)


def _has_ended(states: Iterable[Outcome]) -> bool:
    last = [*states][-1:]
    return bool(last) and last[0] in {Outcome.DONE, Outcome.FAILED, Outcome.CRASHED}


def _after(folder: SweepsFolder, holder: Holder) -> str | None:
    """The job after the last array of a submission all of whose jobs are cancelled is not wanted either."""
    every = [id for array in holder.submission.arrays for pack in array.packs for id in pack]
    cancelled = all(folder.job(id).cancelled.exists() for id in every)
    return holder.folder.read_id(AFTER) if cancelled else None
