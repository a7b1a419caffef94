"""`hydra/launcher=local_pool`: several jobs at a time on this machine, with the same worker as on a cluster."""

import logging
import os
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager

from hydra.core.utils import JobReturn, JobStatus
from rich.console import Console
from rich.live import Live

from launchers.config import LocalPoolConfig
from launchers.errors import LauncherError
from launchers.local.rehearsal import rehearse
from launchers.queue.states import OPEN, JobState, State, look
from launchers.queue.status import counts, duration, last_words, status_table
from launchers.sweep.files import stamp
from launchers.sweep.folder import JobEntry, JobFolder, SweepRecord, SweepsFolder
from launchers.sweep.follow import follow
from launchers.sweep.packing import pack_arrays
from launchers.sweep.protocol import Task
from launchers.sweep.records import assess, sweep_record, write_records
from launchers.sweep.submission import Submission
from launchers.sweep.sweep import CANNOT_WORK, Sweep, faulty
from launchers.worker.slots import slots, usable_cores, usual_processes, visible_gpus
from launchers.worker.worker import Signals, Where, Worker

log = logging.getLogger(__name__)

EVERY_JOB = sys.maxsize


def run(sweep: Sweep, settings: LocalPoolConfig) -> list[JobReturn]:
    """Check and rehearse all jobs of a sweep, and run those that are not done, several at a time.

    Raises:
        SweepError: before anything runs, with the faults of every job.
        LauncherError: at the end, when jobs are not done, or what comes after them fails.
        KeyboardInterrupt: on Ctrl-C or SIGTERM, once all jobs have stored what they had.
    """
    folder = SweepsFolder(settings.path())
    if settings.plan:
        sweep.check()
    else:
        sweep.prepare()
    known = assess(sweep)
    record = sweep_record(known, "local_pool", settings)
    if settings.plan:
        states = look(folder, [job.id for job in record.jobs])
        Console().print(status_table(record, states))
        left = [job for job in record.jobs if states[job.id].state is not State.done]
        Console().print(_expected(left, len(_shares(record, settings, len(left))) if left else 1), markup=False)
        return []
    with folder.locked():
        write_records(folder, sweep, known)
        folder.write_sweep(record)
    if isinstance(sweep.task, Task):
        _rehearse(folder, record, settings)
    states = run_record(folder, record, settings)
    attempts = (states[job.id].attempt for job in record.jobs)
    values = [attempt.value if attempt else None for attempt in attempts]
    for line in sweep.conclude([value if isinstance(value, dict) else {} for value in values]):
        Console(highlight=False).print(line, markup=False, soft_wrap=True)
    return [JobReturn(status=JobStatus.COMPLETED, _return_value=value) for value in values]


def _expected(jobs: Sequence[JobEntry], at_a_time: int) -> str:
    """How long jobs will take, by what earlier ones tell of each."""
    known = [job.seconds for job in jobs if job.seconds is not None]
    if not known:
        return "How long it takes is not known: one such job that has run will tell." if jobs else "Nothing to do."
    alone, beside = duration(sum(known)), duration(sum(known) / at_a_time)
    unknown = f", besides {len(jobs) - len(known)} jobs of unknown length" if len(known) < len(jobs) else ""
    return f"All together: about {alone} of work{unknown}; with {at_a_time} at a time about {beside}"


def _rehearse(folder: SweepsFolder, sweep: SweepRecord, settings: LocalPoolConfig) -> None:
    """Rehearse the jobs that are neither done nor under way elsewhere."""
    states = look(folder, [job.id for job in sweep.jobs], patient=False)
    names = {job.id: job.name for job in sweep.jobs if states[job.id].is_free}
    if names:
        log.info("%s: rehearsing %d jobs", sweep.name, len(names))
        found = rehearse([folder.job(id) for id in names], _shares(sweep, settings, len(names)))
        if found:
            faults = {names[id]: words for id, words in found.items()}
            raise faulty(faults, len(names), CANNOT_WORK)


def run_record(folder: SweepsFolder, sweep: SweepRecord, settings: LocalPoolConfig) -> dict[str, JobState]:
    """Run the jobs of a sweep whose records are written.

    Returns:
        The states of all jobs: done.

    Raises:
        LauncherError, KeyboardInterrupt: as above.
    """
    with _submitted(folder, sweep, settings) as submission:
        _run_arrays(folder, sweep, settings, submission)
    states = look(folder, [job.id for job in sweep.jobs])
    Console().print(status_table(sweep, states))
    Console().print(last_words(folder, sweep, states))
    status = follow(sweep, settings)
    undone = len(sweep.jobs) - counts(states)[State.done]
    if undone:
        raise LauncherError(f"{sweep.name}: {undone} of {len(sweep.jobs)} jobs are not done")
    if status:
        raise LauncherError(f"{sweep.name}: all jobs are done; what comes after them failed, exit status {status}")
    return states


def _run_arrays(folder: SweepsFolder, sweep: SweepRecord, settings: LocalPoolConfig, submission: Submission) -> None:
    """Run one stage after the other, until one is not complete: what comes later would lack its input."""
    names = {job.id: job.name for job in sweep.jobs}
    console = Console(stderr=True)

    def say(job: JobFolder, words: str) -> None:
        log.log(logging.DEBUG if console.is_terminal else logging.INFO, "%s %s", names[job.id], words)

    for number, array in enumerate(submission.arrays):
        before = [job.id for job in sweep.jobs if job.stage < array.stage]
        undone = len(before) - counts(look(folder, before, patient=False))[State.done]
        if undone:
            log.error("stage %d is not started: %d jobs of earlier stages are not done", array.stage, undone)
            return
        pack = [folder.job(id) for id in array.packs[0]]
        shares = _shares(sweep, settings, len(pack))
        log.info("%s: %d jobs, %d at a time", sweep.name, len(pack), len(shares))
        worker = Worker(pack, shares, Where(submission.name, f"{number}_0"), retries=settings.retries, say=say)
        with Live(console=console, transient=True, auto_refresh=False) as live:

            def show(live: Live = live) -> None:
                if console.is_terminal:
                    states = look(folder, list(names), patient=False)
                    live.update(status_table(sweep, states), refresh=True)

            _work(worker, show)


def _shares(sweep: SweepRecord, settings: LocalPoolConfig, jobs: int) -> list[dict[str, str]]:
    """The environment of each of the processes that run so many jobs: its share of the machine."""
    gpus, cores = visible_gpus(), usable_cores()
    paths = [*sweep.paths, *filter(None, [os.environ.get("PYTHONPATH")])]
    variables = {"PYTHONPATH": os.pathsep.join(paths), **settings.environment}
    count = min(settings.processes or usual_processes(gpus, cores), jobs)
    return [{**variables, **slot} for slot in slots(count, gpus, cores)]


def _work(worker: Worker, show: Callable[[], None]) -> None:
    """Run a worker until its jobs have ended; stop them when a signal comes."""
    with Signals(signal.SIGINT, signal.SIGTERM, signal.SIGHUP) as signals:
        if worker.run(signals, show) is not None:
            log.info("stopping: the jobs store what they have")
            worker.stop()
            raise KeyboardInterrupt


@contextmanager
def _submitted(folder: SweepsFolder, sweep: SweepRecord, settings: LocalPoolConfig) -> Iterator[Submission]:
    """Take the jobs that are neither done nor under way elsewhere; they are ours as long as this process lives."""
    with ExitStack() as stack:
        with folder.locked():
            states = look(folder, [job.id for job in sweep.jobs])
            jobs = [job for job in sweep.jobs if states[job.id].is_free]
            elsewhere = [state for state in states.values() if state.state in OPEN]
            if elsewhere:
                names = sorted({state.holder.name for state in elsewhere if state.holder})
                log.warning("%d jobs are under way already in %s: left out here", len(elsewhere), ", ".join(names))
            for job in jobs:
                folder.job(job.id).cancelled.unlink(missing_ok=True)
            place = folder.submission(stamp())
            arrays = pack_arrays(jobs, EVERY_JOB, EVERY_JOB)
            submission = Submission(place.name, sweep.name, "local_pool", arrays, retries=settings.retries)
            if jobs:
                place.write(submission)
                stack.enter_context(place.alive())
        yield submission
