"""The jobs of a study while it runs: what is done, running, queued or failed, and how long the rest will take.

Serial sweeps are read from `results/progress`, those of `local_pool` and `slurm` from the folder of sweeps; how far a
job is, from the parts that it has stored. Nothing half written is ever read: all these files appear whole.
"""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from statistics import mean

from launchers.errors import LauncherError
from launchers.queue.states import OPEN, JobState, State, look_or_recall
from launchers.queue.status import rate_an_hour
from launchers.sweep.folder import SweepRecord, SweepsFolder
from sixteen_heads.sweep_results import sweep_results
from study.record.errors import StudyError
from study.record.parts import every_part, read_provenance
from study.record.training.history import read_history
from study.tracking.history import RUN
from study.tracking.progress import ActiveJob, Agenda, Request, read_active_jobs, read_agendas
from study.tracking.run import RUNS, TRAININGS, Run, read_runs, request_id

MOST_SWEEPS = 3
"""Sweeps that are shown."""

SECONDS_BETWEEN_QUESTIONS = 15.0
"""SLURM is asked no more often: its controller is shared with everybody."""

SECONDS_OF_SILENCE = 600.0
"""After so long without a new part, a job says so."""


@dataclass(frozen=True)
class JobLine:
    """What is shown of a job.

    Attributes:
        name: the job, as people know it.
        state: what became of it.
        note: how far it is, or what went wrong.
        share: share of its work that is done, from 0 to 1; None where that is not known.
        seconds_left: None where that is not known.
    """

    name: str
    state: State
    note: str = ""
    share: float | None = None
    seconds_left: float | None = None


@dataclass(frozen=True)
class SweepLines:
    """What is shown of a sweep.

    Attributes:
        name: name of the sweep.
        jobs: its jobs, in their order.
        seconds_left: until the last of them is done; None where that is not known, or nothing runs.
        note: what cannot be told now, and why.
    """

    name: str
    jobs: tuple[JobLine, ...]
    seconds_left: float | None = None
    note: str = ""

    @property
    def is_open(self) -> bool:
        """Whether one of its jobs waits or runs."""
        return any(job.state in OPEN for job in self.jobs)


@dataclass
class StudyJobs:
    """The jobs of a results folder; asked again and again, it reads again only what has changed.

    Attributes:
        results: the results folder.
        sweeps: folder of the sweeps that `local_pool` and `slurm` run.
    """

    results: Path
    sweeps: Path
    _runs: dict[Path, tuple[int, list[Run]]] = field(default_factory=dict, init=False)
    _asked: dict[str, tuple[float, dict[str, JobState], str]] = field(default_factory=dict, init=False)

    def lines(self) -> list[SweepLines]:
        """The sweeps that run, or else the latest; jobs of no sweep come last."""
        active = read_active_jobs(self.results)
        finished = {request_id(run): run for run in self._every_run() if run.summary}
        found = [self._agenda(agenda, active, finished) for agenda in read_agendas(self.results)]
        submitted, used = self._submitted(active)
        found = sorted([*submitted, *found], key=lambda sweep: not sweep.is_open)
        shown = [sweep for sweep in found[:MOST_SWEEPS] if sweep.is_open or sweep in found[:1]]
        known = {job.id for agenda in read_agendas(self.results) for job in agenda.jobs}
        alone = [job for job in active if job.request.id not in known and job.run not in used]
        if alone:
            lines = tuple(self._active(job) for job in alone)
            shown.append(SweepLines("Single jobs", lines, _left(lines, max)))  # each has its own process
        return shown

    def _agenda(self, agenda: Agenda, active: Sequence[ActiveJob], finished: Mapping[str, Run]) -> SweepLines:
        """A serial sweep: its process runs one job after the other."""
        under_way = {job.request.id: job for job in active}
        waiting = State.new if agenda.process.is_gone else State.queued

        def line(request: Request) -> JobLine:
            if request.id in under_way:
                active = self._active(under_way[request.id], _expected(request, list(finished.values())))
                return replace(active, name=request.name)  # which says the seed where several share the name
            if request.id in finished:
                return JobLine(request.name, State.done, share=1.0)
            seconds = _expected(request, list(finished.values())) if waiting is State.queued else None
            return JobLine(request.name, waiting, seconds_left=seconds)

        lines = tuple(map(line, agenda.jobs))
        return SweepLines(agenda.name, lines, _left(lines, sum))

    def _submitted(self, active: Sequence[ActiveJob]) -> tuple[list[SweepLines], set[str]]:
        """The sweeps of `local_pool` and `slurm` that write into this results folder, and the active jobs in them."""
        folder, lines, used = SweepsFolder(self.sweeps), list[SweepLines](), set[str]()
        for path in reversed(folder.sweeps()[-20:] if self.sweeps.is_dir() else []):
            with suppress(LauncherError, OSError, ValueError, KeyError):
                sweep = folder.read_sweep(path.stem)
                if sweep_results(folder, sweep).resolve() == self.results.resolve():
                    states, note = self._look(folder, sweep)
                    working = {process: job for job in active if (process := (job.process.host, job.process.pid))}
                    used |= {job.run for state in states.values() if (job := working.get(_process(state)))}
                    lines.append(self._sweep(sweep, states, working, note))
        return lines, used

    def _look(self, folder: SweepsFolder, sweep: SweepRecord) -> tuple[dict[str, JobState], str]:
        """The states of a sweep's jobs; those of a moment ago where SLURM has just been asked."""
        asked, states, note = self._asked.get(sweep.name, (0.0, {}, ""))
        if sweep.launcher != "slurm" or time.monotonic() - asked > SECONDS_BETWEEN_QUESTIONS or not states:
            states, note = look_or_recall(folder, [job.id for job in sweep.jobs])
            self._asked[sweep.name] = time.monotonic(), states, note
        return states, note

    def _sweep(
        self,
        sweep: SweepRecord,
        states: Mapping[str, JobState],
        working: Mapping[tuple[str, int], ActiveJob],
        note: str,
    ) -> SweepLines:
        lines = []
        for entry in sweep.jobs:
            state = states[entry.id]
            job = working.get(_process(state)) if state.state is State.running else None
            known = self._active(job) if job else JobLine("", state.state)
            words = state.error.splitlines()[0] if state.error else known.note
            lines.append(JobLine(entry.name, state.state, words, known.share, known.seconds_left))
        rate, left = rate_an_hour(states), sum(state.state in OPEN for state in states.values())
        return SweepLines(sweep.name, tuple(lines), 3600 * left / rate if rate and left else None, note)

    def _active(self, job: ActiveJob, expected: float | None = None) -> JobLine:
        """A job that runs, was stopped or has failed; before its first rows it takes as long as is expected."""
        name, folder = job.request.name, self.results / job.folder
        if job.error:
            return JobLine(name, State.failed, job.error)
        if job.process.is_gone:
            return JobLine(name, State.lost, "its process ended without a word; the same command goes on from there")
        if job.folder.partition("/")[0] == TRAININGS:
            return self._training(job, folder)
        rows, last = _stored(folder, job)
        is_over = rows > job.left  # an audit may compute rows again
        count = f"{rows:,} rows, {job.left:,} were expected" if is_over else f"{rows:,} of {job.left:,} rows"
        note = count if rows else f"{job.left:,} rows to compute"
        if time.time() - last > SECONDS_OF_SILENCE:
            note += f", nothing stored since {datetime.fromtimestamp(last):%H:%M}"
        left = expected and max(expected - (time.time() - job.began), 0.0)
        if rows:
            left = None if is_over else (job.left - rows) * max(last - job.began, 0.0) / rows
        return JobLine(name, State.running, note, None if is_over else rows / max(job.left, 1), left)

    def _training(self, job: ActiveJob, folder: Path) -> JobLine:
        records, epochs = [], None
        with suppress(StudyError, OSError, KeyError):
            (run,) = (run for run in self._known_runs(folder) if run.id == job.run)
            epochs = run.config["model"]["training"]["epochs"]
            records = read_history(folder)
        if not records or not epochs or not records[-1].epoch:
            return JobLine(job.request.name, State.running, "the training has begun")
        last = records[-1]
        note = f"epoch {last.epoch:.2f} of {epochs}" + (f", loss {last.loss:.3f}" if last.loss is not None else "")
        left = last.seconds * (epochs - last.epoch) / last.epoch
        return JobLine(job.request.name, State.running, note, min(last.epoch / epochs, 1.0), left)

    def _every_run(self) -> Iterator[Run]:
        for place in (f"*/*/*/{RUNS}", f"{TRAININGS}/*/{RUNS}"):
            for folder in self.results.glob(place):
                yield from self._known_runs(folder.parent)

    def _known_runs(self, folder: Path) -> list[Run]:
        """The runs of a folder, read again once a file has come or was replaced."""
        with suppress(StudyError, OSError):
            changed = (folder / RUNS).stat().st_mtime_ns
            if self._runs.get(folder, (0, []))[0] != changed:
                self._runs[folder] = changed, read_runs(folder)
        return self._runs.get(folder, (0, []))[1]


def _process(state: JobState) -> tuple[str, int]:
    """Host and number of the process of a job's last attempt."""
    return (state.attempt.host, state.attempt.pid) if state.attempt else ("", 0)


def _stored(folder: Path, job: ActiveJob) -> tuple[int, float]:
    """How many rows a job has stored since it began, and when it last did."""
    rows, last = 0, job.began
    for part in every_part(folder):
        with suppress(StudyError, OSError):
            run, written, count = _part(part)
            if run == job.run and written >= int(job.began):
                rows, last = rows + count, max(last, written)
    return rows, last


@lru_cache(maxsize=2**16)
def _part(part: Path) -> tuple[str, float, int]:
    """The run that wrote a part, when, and its rows: a part never changes."""
    known = read_provenance(part)
    return known.get(RUN, ""), datetime.fromisoformat(known["written"]).timestamp(), known.get("rows", 0)


def _expected(request: Request, finished: Sequence[Run]) -> float | None:
    """Seconds that a job will take: as those of its measure and model did, else of its measure, else as any."""
    took = [run for run in finished if run.summary.get("seconds")]
    same = [run for run in took if run.measure == request.measure]
    alike = [run for run in same if run.model == request.model] or same or took
    return mean(float(run.summary["seconds"]) for run in alike) if alike else None


def _left(lines: Sequence[JobLine], all_of: Callable[[list[float]], float]) -> float | None:
    """Seconds until all jobs are done: the sum of those one after the other, the most of those at the same time.

    None where one is unknown, or nothing runs.
    """
    left = [line.seconds_left for line in lines if line.state in OPEN]
    known = [seconds for seconds in left if seconds is not None]
    return all_of(known) if left and len(known) == len(left) else None
