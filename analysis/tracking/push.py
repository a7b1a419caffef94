"""Push: fill W&B from a results folder, as often as one likes; what is there already is not sent again.

A run carries the digest of all that it holds once all has arrived; one that carries it is left alone. Artifacts are
known to W&B by their content.
"""

import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import wandb
from rich.console import Console
from rich.progress import track

from analysis.tracking.place import Place
from analysis.tracking.planned import Planned
from study.tracking.wandb_access import key_is_known
from study.tracking.wandb_run import log_points, open_run

LONGEST_WAIT = 600.0
"""Seconds for all of a run to be sent."""

OFFLINE = "wandb-push"
"""In the results folder: what is to be sent by `wandb sync`; made anew each time."""


@dataclass(frozen=True)
class Pushed:
    """What a push has done: runs sent, or left to be sent later; runs left alone because all of them was there."""

    sent: int
    unchanged: int
    offline: bool


def push(runs: Iterable[Planned], place: Place, results: Path, *, offline: bool = False) -> Pushed:
    """Fill a project; without a key, or `offline`, leave it in the results folder for `wandb sync`.

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
    sent = unchanged = 0
    for one in track(list(runs), "pushing", console=Console(stderr=True), transient=True):
        if online and place.mark_of(one.id) == one.digest:
            unchanged += 1
            continue
        with place.in_words():
            _send(one, place, folder, online=online)
        if online:
            place.mark(one.id, one.digest)
        sent += 1
    wandb.teardown()  # what is kept offline is on the disk
    return Pushed(sent, unchanged, not online)


def _send(one: Planned, place: Place, folder: Path, *, online: bool) -> None:
    opened = open_run(
        one.run,
        entity=place.entity,
        project=place.project,
        folder=folder,
        online=online,
        patience=LONGEST_WAIT,
    )
    try:
        log_points(opened, one.points)
        for content in one.uses if online else ():  # offline, W&B keeps no lineage
            opened.use_artifact(content.artifact())
        for content in one.logs:
            logged = opened.log_artifact(content.artifact())
            if online:
                logged.wait(timeout=int(LONGEST_WAIT))
        shown = one.shows()
        if shown:
            opened.log(dict(shown), step=opened.starting_step)
        opened.summary.update(dict(one.run.summary))
    except BaseException:
        opened.finish(exit_code=1)
        raise
    opened.finish(exit_code=0)
