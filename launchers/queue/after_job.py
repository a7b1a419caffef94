"""What became of the job that comes after the last array of a sweep: the analysis."""

import time
from dataclasses import dataclass
from pathlib import Path

from launchers.queue import commands as slurm
from launchers.queue import states
from launchers.queue.states import State
from launchers.sweep.folder import SweepRecord, SweepsFolder
from launchers.sweep.submission import AFTER


@dataclass(frozen=True)
class AfterJob:
    """The job after the last array.

    Attributes:
        number: SLURM's number.
        state: what became of it.
        log: what it printed.
    """

    number: str
    state: State
    log: Path


def look_after(folder: SweepsFolder, sweep: SweepRecord) -> AfterJob | None:
    """The last one of a sweep; None where none was sent. SLURM is asked only while it has not said its end.

    Raises:
        LauncherError: when SLURM must be asked and cannot be.
    """
    found = _look_once(folder, sweep)
    if found is not None and found.state is State.lost:
        time.sleep(states.SECONDS_BETWEEN_LOOKS)
        return _look_once(folder, sweep)
    return found


def _look_once(folder: SweepsFolder, sweep: SweepRecord) -> AfterJob | None:
    if not (sweep.launcher == "slurm" and (sweep.settings["after"]["command"] or sweep.settings["after"]["sync"])):
        return None
    places = [place for place in reversed(folder.submission_folders()) if place.read().sweep == sweep.name]
    queue = None
    for place in places:
        number, status = place.read_id(AFTER), place.after_status()
        if number and status is not None:
            return AfterJob(number, State.failed if status else State.done, place.log(AFTER, ""))
        queue = queue or slurm.queue([place.job_name(AFTER) for place in places])
        number = number or queue.names.get(place.job_name(AFTER))
        if number:
            return AfterJob(number, _state(queue.elements.get(number)), place.log(AFTER, ""))
    return None


def _state(element: slurm.Element | None) -> State:
    if element is None or element.ended:
        return State.cancelled if element is not None and element.state == states.CANCELLED else State.lost
    return State.queued if element.state == "PENDING" else State.running
