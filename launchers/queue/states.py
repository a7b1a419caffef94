"""The state of every job of a sweep: from what is on disk, and one look at SLURM's queue for all."""

import re
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from launchers.errors import SilentSlurmError
from launchers.queue import commands as slurm
from launchers.queue.commands import Element, Queue
from launchers.sweep.attempt import Attempt, Outcome
from launchers.sweep.folder import SweepsFolder
from launchers.sweep.submission import Submission, SubmissionFolder

SECONDS_BETWEEN_LOOKS = 3.0
"""A requeue passes through states that look final: a job is lost when it is so in two looks."""


class State(StrEnum):
    """What a user is told of a job."""

    done = "done"
    running = "running"
    queued = "queued"
    failed = "failed"
    cancelled = "cancelled"
    lost = "lost"
    new = "new"


CANCELLED = "CANCELLED"
"""SLURM's state of what somebody took back with scancel."""

OPEN = {State.queued, State.running}
"""States that change by themselves; jobs in any other state may be handed out."""


@dataclass(frozen=True)
class Holder:
    """Who was handed a job last.

    Attributes:
        folder: folder of the submission.
        submission: what is in it.
        array: place of the array in the submission.
        element: place of the pack in the array.
        number: number of the array in SLURM; None where it was never sent, or is a local pool's.
    """

    folder: SubmissionFolder
    submission: Submission
    array: int
    element: int
    number: str | None

    @property
    def name(self) -> str:
        """The element's number in SLURM, or the place of the local pool."""
        return f"{self.number}_{self.element}" if self.number else self.folder.name


@dataclass(frozen=True)
class JobState:
    """What became of a job.

    Attributes:
        state: the state, in a word.
        attempt: the last one.
        holder: who was handed it last.
        error: what went wrong, or why it waits, in words.
        attempts: how many there were.
    """

    state: State
    attempt: Attempt | None = None
    holder: Holder | None = None
    error: str = ""
    attempts: int = 0

    @property
    def is_free(self) -> bool:
        """Whether the job may be handed out: it is neither done nor under way."""
        return self.state not in {*OPEN, State.done}


def look(
    folder: SweepsFolder, ids: Iterable[str], *, patient: bool = True, at_once: bool = False
) -> dict[str, JobState]:
    """The state of jobs.

    Args:
        folder: folder of all sweeps.
        ids: ids of the jobs.
        patient: look again after some seconds before a job is called lost.
        at_once: wait for SLURM's answer a few seconds at the most.

    Raises:
        SilentSlurmError: when SLURM has some of the jobs and does not answer.
        LauncherError: when it cannot be asked.
    """
    wanted = list(ids)
    states, queue = _look_once(folder, wanted, at_once=at_once)
    lost = [id for id, state in states.items() if state.state is State.lost and _in_slurm(state.holder)]
    if lost and patient:
        time.sleep(SECONDS_BETWEEN_LOOKS)
        again, queue = _look_once(folder, lost, at_once=at_once)
        states |= again
    states = _with_reasons(states, queue)
    _note_cancelled(folder, states)
    return states


def look_or_recall(folder: SweepsFolder, ids: Iterable[str]) -> tuple[dict[str, JobState], str]:
    """The state of jobs, and nothing; while SLURM does not answer what is on disk, and since when it is silent.

    Raises:
        LauncherError: when SLURM cannot be asked for another reason.
    """
    wanted = list(ids)
    try:
        states = look(folder, wanted, at_once=True)
    except SilentSlurmError as error:
        since = _silent_since(folder)
        today = since.date() == datetime.now().date()
        when = f"{since:%H:%M:%S}" if today else f"{since:%Y-%m-%d %H:%M}"
        known, _ = _look_once(folder, wanted, ask=False)
        return known, f"{error} (since {when}); this is what stands on disk, and what runs goes on"
    with suppress(OSError):  # who may only read leaves it to the others
        folder.silent.unlink(missing_ok=True)
    return states, ""


def _silent_since(folder: SweepsFolder) -> datetime:
    """The time of the first silence, which is that of a file; now, for who may not write it."""
    try:
        folder.silent.parent.mkdir(parents=True, exist_ok=True)
        folder.silent.open("a").close()
        return datetime.fromtimestamp(folder.silent.stat().st_mtime)
    except OSError:
        return datetime.now()


UNKNOWN = Element("UNKNOWN")
"""What is taken for an element while SLURM does not answer: it may wait or run."""


def _look_once(
    folder: SweepsFolder, ids: Iterable[str], *, ask: bool = True, at_once: bool = False
) -> tuple[dict[str, JobState], Queue]:
    """The states by what is known now, and the answer of SLURM that they rest on."""
    jobs = {id: folder.job(id) for id in ids}
    holders = _holders(folder, set(jobs))
    attempts = {id: job.read_attempts() for id, job in jobs.items()}
    held = [holders[id] for id in attempts if id in holders and not _is_done(attempts[id])]
    names = [holder.folder.job_name(holder.array) for holder in held if _in_slurm(holder)]
    queue = slurm.queue(names, at_once=at_once) if ask and names else Queue({}, {})
    alive: dict[str, bool] = {}

    def element_of(holder: Holder) -> Element | None:
        """What has the job: an element in the queue, or a pool that lives; None where it is gone."""
        if holder.submission.launcher != "slurm":
            if holder.folder.name not in alive:
                alive[holder.folder.name] = holder.folder.is_alive()
            return Element("RUNNING") if alive[holder.folder.name] else None
        if not ask:
            return UNKNOWN if holder.number else None
        return queue.elements.get(f"{_number(holder, queue)}_{holder.element}")

    found = {}
    for id, job in jobs.items():
        holder = holders.get(id)
        if holder is not None and _in_slurm(holder) and not holder.number:
            holder = replace(holder, number=_number(holder, queue))
        found[id] = _state(attempts[id], holder, element_of, cancelled=job.cancelled.exists)
    return found, queue


def _state(
    attempts: list[Attempt],
    holder: Holder | None,
    element_of: Callable[[Holder], Element | None],
    *,
    cancelled: Callable[[], bool],
) -> JobState:
    known = JobState(State.new, attempts[-1] if attempts else None, holder, attempts=len(attempts))
    if _is_done(attempts):
        done = next(attempt for attempt in attempts if attempt.state is Outcome.DONE)
        return replace(known, state=State.done, attempt=done)
    own = [attempt for attempt in attempts if holder and attempt.submission == holder.submission.name]
    element = element_of(holder) if holder else None
    if holder is not None and element is not None and not element.ended:
        return _held(known, own, holder, element, cancelled)
    if cancelled():
        return replace(known, state=State.cancelled)
    was_sent = holder is not None and (holder.number is not None or not _in_slurm(holder))
    own_last = own[-1] if own else None
    last = own_last if was_sent else known.attempt  # an earlier end says nothing of what was sent since
    if last is not None and last.state in {Outcome.FAILED, Outcome.CRASHED, Outcome.KILLED}:
        return replace(known, state=State.failed, error=last.error or "")
    if element is not None and element.state == CANCELLED:
        return _cancelled_in_slurm(known)
    if last is not None or was_sent:
        return replace(known, state=State.lost, error=_why_lost(last, element, holder))
    return known


def _why_lost(last: Attempt | None, element: Element | None, holder: Holder | None) -> str:
    if element is not None:
        return element.state
    if last is not None and last.state is Outcome.STOPPED:
        return last.error or "stopped; what it had computed is stored"
    return "" if last is not None or _in_slurm(holder) else "its turn had not come"


def _held(
    known: JobState, own: list[Attempt], holder: Holder, element: Element, cancelled: Callable[[], bool]
) -> JobState:
    """The state of a job whose element waits or runs."""
    last = own[-1] if own else None
    if last is not None and last.state is Outcome.RUNNING and element.state != "PENDING":
        return replace(known, state=State.running)
    kills = sum(attempt.state is Outcome.KILLED for attempt in own)
    over = last is not None and (
        last.state in {Outcome.FAILED, Outcome.CRASHED}
        or (last.state is Outcome.KILLED and kills > holder.submission.retries)
    )
    if over and last is not None:
        return replace(known, state=State.failed, error=last.error or "")
    if cancelled():
        return replace(known, state=State.cancelled)
    waits = element.reason if element.state == "PENDING" and element.reason not in {"", "None"} else ""
    return replace(known, state=State.queued, error=waits)


def _with_reasons(states: dict[str, JobState], queue: Queue) -> dict[str, JobState]:
    """Say of lost jobs what the accounting says of their elements, where there is one; some were cancelled."""
    lost = {id: state for id, state in states.items() if state.state is State.lost and _in_slurm(state.holder)}
    accounted = slurm.accounting(state.holder.number for state in lost.values() if state.holder and state.holder.number)
    known = {**queue.elements, **accounted}
    arrays = {name.partition("_")[0] for name in known}
    for id, state in lost.items():
        said = accounted.get(state.holder.name) if state.holder else None
        if (said and said.state == CANCELLED) or _was_taken_back(state, known, arrays):
            states[id] = _cancelled_in_slurm(state)
            continue
        why = said.state if said else state.error
        words = f"SLURM: {why}" if why and why.isupper() else why or "it is gone from the queue without an outcome"
        states[id] = replace(state, error="; ".join([words, *_complaint(state.holder)]))
    return states


def _cancelled_in_slurm(state: JobState) -> JobState:
    return replace(state, state=State.cancelled, error="cancelled in SLURM")


def _note_cancelled(folder: SweepsFolder, states: Mapping[str, JobState]) -> None:
    """Keep what was cancelled: SLURM forgets it after a while, and nothing shall send it again by itself."""
    for id, state in states.items():
        if state.state is State.cancelled and not folder.job(id).cancelled.exists():
            with suppress(OSError):  # who may only read the folder of sweeps still sees it
                folder.job(id).cancelled.touch()


def _was_taken_back(state: JobState, known: Mapping[str, Element], arrays: set[str]) -> bool:
    """Whether somebody cancelled an element that had not begun: of such a one SLURM keeps no record.

    It is not known, although others of its array are, and it has printed nothing.
    """
    holder = state.holder
    if holder is None or holder.number not in arrays or holder.name in known:
        return False
    return not holder.folder.log(holder.array, holder.element).exists()


def _complaint(holder: Holder | None) -> list[str]:
    """What SLURM wrote into the log of an element that it ended: `Exceeded job memory limit`."""
    log = holder.folder.log(holder.array, holder.element) if holder else None
    if log is None or not log.is_file():
        return []
    with log.open("rb") as file:
        file.seek(max(0, log.stat().st_size - 4096))
        found = re.findall(r"^slurmstepd\S*: error: (?!\*\*\*)(.*)", file.read().decode(errors="replace"), re.MULTILINE)
    return found[-1:]


def _holders(folder: SweepsFolder, ids: set[str]) -> dict[str, Holder]:
    """Who was handed each job last."""
    holders: dict[str, Holder] = {}
    for submission_folder in folder.submission_folders():
        submission = submission_folder.read()
        for number, array in enumerate(submission.arrays):
            in_slurm = submission_folder.read_id(number) if submission.launcher == "slurm" else None
            for element, pack in enumerate(array.packs):
                for id in pack:
                    if id in ids:
                        holders[id] = Holder(submission_folder, submission, number, element, in_slurm)
    return holders


def _number(holder: Holder, queue: Queue) -> str | None:
    """SLURM's number of an array; found by its name where the submitter was killed before it wrote it down."""
    if holder.number:
        return holder.number
    number = queue.names.get(holder.folder.job_name(holder.array))
    if number:
        holder.folder.note_id(holder.array, number)
    return number


def _in_slurm(holder: Holder | None) -> bool:
    return holder is not None and holder.submission.launcher == "slurm"


def _is_done(attempts: list[Attempt]) -> bool:
    return any(attempt.state is Outcome.DONE for attempt in attempts)
