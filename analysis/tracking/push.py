"""Push: fill W&B from a results folder, as often as one likes; what is there already is not sent again.

A run carries the digest of all that it holds once all has arrived; one that carries it is left alone. Artifacts are
known to W&B by their content.
"""

import math
import shutil
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from enum import Enum
from functools import cached_property
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape

from analysis.tracking.fetch import versions
from analysis.tracking.timeouts import BYTES_A_SECOND, USUAL_WAIT, forget_service, service_within
from analysis.tracking.wandb_artifacts import is_part
from analysis.tracking.wandb_project import Place, PlaceError, RemoteRun
from analysis.tracking.wandb_runs import Planned
from study.tracking.wandb_access import key_is_known
from study.tracking.wandb_run import log_points, open_run

OFFLINE = "wandb-push"
"""In the results folder: what is to be sent by `wandb sync`; made anew each time."""


class Fate(Enum):
    """What becomes of a run."""

    SENT = "sent"
    UNCHANGED = "there already"
    OUTDATED = "left as it is there"


@dataclass(frozen=True)
class Pushed:
    """What a push has done.

    Attributes:
        sent: runs sent, or left in the results folder to be sent later.
        unchanged: runs left alone because all of them was there.
        outdated: names of runs that sum up less than the project has outcomes of: left as they are there.
        offline: nothing was sent.
    """

    sent: int
    unchanged: int
    outdated: tuple[str, ...]
    offline: bool


def push(runs: Sequence[Planned], place: Place, results: Path, *, offline: bool, wait: float = USUAL_WAIT) -> Pushed:
    """Fill a project; without a key, or `offline`, leave it in the results folder for `wandb sync`.

    Args:
        runs: what it is to hold; each artifact before those that are made from it.
        place: whose project.
        results: folder that they are of.
        offline: leave them there, also where a key is found.
        wait: seconds after which a run, or an answer, is given up.

    Raises:
        InputError: when the results folder cannot be written.
        PlaceError: when W&B refuses or is not there; what was sent is whole, and the next push goes on from there.
    """
    online = not offline and key_is_known()
    folder = results / "wandb"
    if online:
        place.require_writable()
    else:
        folder = results / OFFLINE
        shutil.rmtree(folder, ignore_errors=True)
    filling = Filling(place, folder, wait) if online else None
    fates: list[tuple[Planned, Fate]] = []
    try:
        for one in _shown(runs):
            fates.append((one, filling.fill(one) if filling else _left(one, place, folder, wait)))
    except PlaceError as error:
        sent, there = sum(fate is Fate.SENT for _, fate in fates), len(fates)
        raise PlaceError(
            f"{error}. {there} of {len(runs)} runs are done with ({sent} sent now), {len(runs) - there} remain: the "
            f"same command goes on from there"
        ) from error
    finally:
        forget_service()  # what is kept offline is on the disk then
    counts = Counter(fate for _, fate in fates)
    outdated = tuple(one.run.name for one, fate in fates if fate is Fate.OUTDATED)
    return Pushed(counts[Fate.SENT], counts[Fate.UNCHANGED], outdated, not online)


def _shown(runs: Sequence[Planned]) -> Iterator[Planned]:
    """The runs, each said when its turn comes: in one line of a terminal, else in a line each."""
    console = Console(stderr=True)
    with console.status("pushing") as status:
        for number, one in enumerate(runs, start=1):
            words = escape(f"pushing {number} of {len(runs)}: {one.run.name}")
            if console.is_terminal:
                status.update(words)
            else:
                console.print(words, highlight=False, soft_wrap=True)
            yield one


def _left(one: Planned, place: Place, folder: Path, wait: float) -> Fate:
    """Leave a run for `wandb sync`."""
    with place.in_words():
        _send(one, place, folder, online=False, patience=wait)
    return Fate.SENT


class Filling:
    """A project that is filled."""

    def __init__(self, place: Place, folder: Path, wait: float) -> None:
        """Ask nothing yet.

        Args:
            place: the project.
            folder: for what W&B keeps beside.
            wait: seconds for a run.
        """
        self._place = place
        self._folder = folder
        self._wait = wait

    def fill(self, one: Planned) -> Fate:
        """Send a run, unless all of it is there, or it sums up less than the project holds.

        Raises:
            PlaceError: when W&B refuses, or is not done in time.
        """
        place = self._place
        with place.in_words(), service_within(self._wait, one.size):
            there = place.find(one.run.shown_id) or self._formerly(one)
            if there and there.mark == one.digest:
                return Fate.UNCHANGED
            if one.about and self._has_more(one):
                return Fate.OUTDATED
            shown = one if there is None else replace(one, run=replace(one.run, sweep_id=there.id))
            _send(shown, place, self._folder, online=True, patience=self._wait)
            place.mark(shown.run.shown_id, one.digest)
        return Fate.SENT

    def _formerly(self, one: Planned) -> RemoteRun | None:
        """The run under the id that an earlier version gave it, if it is not another's of the same id."""
        there = self._place.find(one.formerly) if one.formerly else None
        return there if there and there.name == one.run.name else None

    def _has_more(self, one: Planned) -> bool:
        """Whether the project has outcomes of what a run sums up that it was not made from.

        Another lab has pushed them, or this one from another folder. The run of a setting is about this setting, the
        one of all about every setting of its subjects.
        """
        ours = {_names(content.about): set(content.files) for content in one.about}
        subjects = {content.about["subject"] for content in one.about}
        for about in self._known:
            concerns = _names(about) in ours or (not one.run.setting_id and about.get("subject") in subjects)
            if concerns and any(is_part(name) for name in set(about["files"]) - ours.get(_names(about), set())):
                return True
        return False

    @cached_property
    def _known(self) -> list[Mapping[str, Any]]:
        """What every version of every setting's outcomes in the project says of itself."""
        try:
            found = [version.metadata for version in versions(self._place)]
        except PlaceError as error:
            if isinstance(error.__cause__, TimeoutError):
                raise
            return []  # the project is new, or has none
        return [about for about in found if {"model", "data", "setting", "files"} <= set(about)]


def _names(about: Mapping[str, Any]) -> tuple[str, ...]:
    return about["model"], about["data"], about["setting"]


def _send(one: Planned, place: Place, folder: Path, *, online: bool, patience: float) -> None:
    patience += one.size / BYTES_A_SECOND
    opened = open_run(
        one.run,
        entity=place.entity,
        project=place.project,
        folder=folder,
        online=online,
        patience=patience,
    )
    try:
        log_points(opened, one.points)
        for content in one.uses if online else ():  # offline, W&B keeps no lineage
            opened.use_artifact(content.artifact())
        for content in one.logs:
            logged = opened.log_artifact(content.artifact())
            if online:
                logged.wait(timeout=math.ceil(patience))
        shown = one.shows()
        if shown:
            opened.log(dict(shown), step=opened.starting_step)
        opened.summary.update(dict(one.run.summary))
    except BaseException:
        with suppress(Exception):
            opened.finish(exit_code=1)
        raise
    opened.finish(exit_code=0)
