"""What people are told of a sweep: counts, rate, time left, a line a job, and the last words of those that failed."""

import time
from collections import Counter
from collections.abc import Mapping, Sequence

from rich.console import Group, RenderableType
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from launchers.queue.after_job import AfterJob
from launchers.queue.logs import last_lines, log_files
from launchers.queue.states import OPEN, JobState, State
from launchers.sweep.folder import JobEntry, SweepRecord, SweepsFolder

COLOURS = {
    State.done: "green",
    State.running: "cyan",
    State.queued: "blue",
    State.failed: "red",
    State.cancelled: "yellow",
    State.lost: "magenta",
    State.new: "white",
}

MOST_ROWS = 40
MOST_ERRORS = 6


def counts(states: Mapping[str, JobState]) -> Counter[State]:
    """How many jobs are in each state."""
    return Counter(state.state for state in states.values())


def status_table(sweep: SweepRecord, states: Mapping[str, JobState]) -> RenderableType:
    """The sweep in one line, and a table with a line a job; of many, those that matter most."""
    rows = _what_matters(sweep.jobs, states)
    table = Table("job", "state", "stage", "where", "time", "", box=None, pad_edge=False)
    for job in rows:
        state = states[job.id]
        colour = COLOURS[state.state]
        table.add_row(
            escape(job.name),
            f"[{colour}]{state.state}[/]",
            str(job.stage),
            _where(state),
            _took(state),
            escape(_first_line(state.error)),
        )
    more = len(sweep.jobs) - len(rows)
    return Group(summary(sweep, states), table, *([Text(f"and {more} more")] if more else []))


def summary(sweep: SweepRecord, states: Mapping[str, JobState]) -> Text:
    """`name: 3 of 10 done, 2 running, 5 queued; 12 an hour, about 25 min left`."""
    text = Text(f"{sweep.name}: {counts(states)[State.done]} of {len(sweep.jobs)} done", style="bold")
    for state, number in counts(states).items():
        if state is not State.done:
            text.append(f", {number} {state}", style=COLOURS[state])
    rate = rate_an_hour(states)
    if rate:
        text.append(f"; {rate:,.0f} an hour" if rate >= 10 else f"; {rate:.2g} an hour")
        left = counts(states)[State.running] + counts(states)[State.queued]
        if left:
            text.append(f", about {duration(3600 * left / rate)} left")
    return text


def rate_an_hour(states: Mapping[str, JobState]) -> float | None:
    """Jobs that are done in an hour, since the first one began of the submissions at work; None before two are."""
    at_work = {state.holder.submission.name for state in states.values() if state.state in OPEN and state.holder}
    ended = [state.attempt for state in states.values() if state.state is State.done and state.attempt]
    ended = [attempt for attempt in ended if attempt.ended and attempt.started]
    ended = [attempt for attempt in ended if not at_work or attempt.submission in at_work]
    if len(ended) < 2:
        return None
    running = any(state.state is State.running for state in states.values())
    until = time.time() if running else max(attempt.ended or 0.0 for attempt in ended)
    seconds = until - min(attempt.started for attempt in ended)
    return 3600 * len(ended) / seconds if seconds > 0 else None


def last_words(folder: SweepsFolder, sweep: SweepRecord, states: Mapping[str, JobState]) -> RenderableType:
    """Why jobs failed: the last lines of their logs, each kind of error once."""
    shown: list[RenderableType] = []
    seen: set[str] = set()
    for job in sweep.jobs:
        state = states[job.id]
        if state.state not in {State.failed, State.lost} or state.error in seen:
            continue
        seen.add(state.error)
        shown.append(Text(f"\n{job.name} {state.state}: {state.error}", style=COLOURS[state.state]))
        for log in log_files(folder, job.id, state):
            shown.append(Text(str(log), style="dim"))
            shown.extend(Text(f"  {line}") for line in last_lines(log))
        if len(seen) == MOST_ERRORS:
            break
    return Group(*shown)


def as_json(
    sweep: SweepRecord, states: Mapping[str, JobState], after: AfterJob | None, silence: str
) -> dict[str, object]:
    """A sweep for programs, what comes after its last job, once that has ended, and why SLURM was not heard."""
    return {
        "sweep": sweep.name,
        "counts": {state.value: number for state, number in counts(states).items()},
        "jobs": [_job_as_json(job, states[job.id]) for job in sweep.jobs],
        "after": after and {"number": after.number, "state": after.state.value, "log": str(after.log)},
        "silence": silence or None,
    }


def _job_as_json(job: JobEntry, state: JobState) -> dict[str, object]:
    attempt = state.attempt
    return {
        "id": job.id,
        "name": job.name,
        "stage": job.stage,
        "state": state.state.value,
        "error": state.error,
        "element": state.holder.name if state.holder else None,
        "attempts": state.attempts,
        "seconds": attempt.ended - attempt.started if attempt and attempt.ended else None,
    }


def duration(seconds: float) -> str:
    """A time as people say it."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    if seconds < 90 * 60:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h"


def _what_matters(jobs: Sequence[JobEntry], states: Mapping[str, JobState]) -> list[JobEntry]:
    """At most `MOST_ROWS` jobs in their order: those that failed before those that run, wait or are done."""
    order = [State.failed, State.lost, State.running, State.cancelled, State.new, State.queued, State.done]
    chosen = sorted(range(len(jobs)), key=lambda place: (order.index(states[jobs[place].id].state), place))
    return [jobs[place] for place in sorted(chosen[:MOST_ROWS])]


def _where(state: JobState) -> str:
    host = state.attempt.host if state.attempt else ""
    number = state.holder.name if state.holder and state.holder.number else ""
    return f"{number} {host}".strip()


def _took(state: JobState) -> str:
    attempt = state.attempt
    if attempt is None or not attempt.started or state.state in {State.queued, State.new}:
        return ""
    if state.state is State.running:
        return duration(time.time() - attempt.started)
    return duration(attempt.ended - attempt.started) if attempt.ended else ""


def _first_line(text: str) -> str:
    return text.splitlines()[0] if text else ""
