"""Push: fill W&B from a results folder, as often as one likes; what is there already is not sent again.

A run carries the digest of all that it holds once all has arrived; one that carries it is left alone. Artifacts are
known to W&B by their content.
"""

import math
import shlex
import shutil
import tempfile
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from enum import Enum
from functools import cached_property
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape

from analysis.compute import Analysis
from analysis.tracking.fetch import versions
from analysis.tracking.timeouts import BYTES_A_SECOND, USUAL_WAIT, release_service, service_timeout
from analysis.tracking.wandb_artifacts import is_part
from analysis.tracking.wandb_project import RemoteRun, WandbError, WandbProject
from analysis.tracking.wandb_runs import PlannedRun, PushOptions, planned_runs, training_runs
from study.tracking.options import WandbTracking
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
class PushResult:
    """What a push has done.

    Attributes:
        sent: how many runs were sent, or left in the results folder to be sent later.
        unchanged: how many were left alone because all of them was there.
        outdated: names of the runs that sum up less than the project has outcomes of: left as they are there.
        offline: whether nothing was sent.
    """

    sent: int
    unchanged: int
    outdated: tuple[str, ...]
    offline: bool


def push_results(
    results: Path,
    analysis: Analysis | None,
    project: WandbProject,
    *,
    inference: Mapping[str, Any],
    models: Collection[str],
    weights: bool,
    offline: bool,
    wait: float,
) -> str:
    """Fill W&B from a results folder; what was done, in words.

    Without an analysis (nothing has been measured of the models yet) it gets their trainings. `inference`, `models` and
    `weights` are as in `PushOptions`, `offline` and `wait` as in `push`.

    Raises:
        StudyError: in words.
    """
    with tempfile.TemporaryDirectory(prefix="push-") as drafts:
        options = PushOptions(Path(drafts), weights=weights, inference=inference, models=models)
        runs = training_runs(results, models) if analysis is None else planned_runs(analysis, options)
        done = push(list(runs), project, results, offline=offline, wait=wait)
    if done.offline:
        return (
            f"{done.sent} runs left for W&B: `wandb sync --yes {results / OFFLINE / 'wandb'}/offline-run-*` sends them"
        )
    said = f"W&B ({project}): {done.sent} runs sent, {done.unchanged} were there already"
    if analysis is not None:
        said += f". {_saved_view(analysis, project, wait)}"
    if done.outdated:
        fetching = f"study pull {project} {shlex.quote(str(results))}"
        said += (
            f", {len(done.outdated)} left as they are there, as the project has outcomes that this push has not "
            f"({'; '.join(done.outdated)}): `{fetching}`, and push again"
        )
    return said


def _saved_view(analysis: Analysis, project: WandbProject, wait: float) -> str:
    """Save the view of these runs; where it is, or why it is not, in words: the runs are there either way."""
    from analysis.tracking.wandb_view import NAME, save_view  # loads wandb-workspaces, which takes a second

    try:
        return f"The view '{NAME}': {save_view(analysis.results.domains, project, wait)}"
    except WandbError as error:
        return f"The view '{NAME}' is not saved, push again for it: {error}"
    finally:
        release_service()


def push(
    runs: Sequence[PlannedRun], project: WandbProject, results: Path, *, offline: bool, wait: float = USUAL_WAIT
) -> PushResult:
    """Fill a project; without a key, or `offline`, leave it in the results folder for `wandb sync`.

    Args:
        runs: what it is to hold; each artifact before those that are made from it.
        project: the project.
        results: folder that the runs were made from.
        offline: leave them there, also where a key is found.
        wait: seconds after which a run, or an answer, is given up.

    Raises:
        InputError: when the results folder cannot be written.
        WandbError: when W&B refuses or is not there; what was sent is whole, and the next push goes on from there.
    """
    online = not offline and key_is_known()
    if online:
        project.require_writable()
    else:
        shutil.rmtree(results / OFFLINE, ignore_errors=True)
    upload = Upload(project, results / ("wandb" if online else OFFLINE), wait, online)
    fates: list[tuple[PlannedRun, Fate]] = []
    try:
        for run in _announced(runs):
            fates.append((run, upload.fill(run)))
    except WandbError as error:
        sent, there = sum(fate is Fate.SENT for _, fate in fates), len(fates)
        raise WandbError(
            f"{error}. {there} of {len(runs)} runs are done with ({sent} sent now), {len(runs) - there} remain: the "
            f"same command goes on from there"
        ) from error
    finally:
        release_service()  # what is kept offline is on the disk then
    counts = Counter(fate for _, fate in fates)
    outdated = tuple(planned.run.full_name for planned, fate in fates if fate is Fate.OUTDATED)
    return PushResult(counts[Fate.SENT], counts[Fate.UNCHANGED], outdated, not online)


def _announced(runs: Sequence[PlannedRun]) -> Iterator[PlannedRun]:
    """The runs, each said when its turn comes: in one line of a terminal, else in a line each."""
    console = Console(stderr=True)
    with console.status("pushing") as status:
        for number, planned in enumerate(runs, start=1):
            words = escape(f"pushing {number} of {len(runs)}: {planned.run.full_name}")
            if console.is_terminal:
                status.update(words)
            else:
                console.print(words, highlight=False, soft_wrap=True)
            yield planned


@dataclass(frozen=True)
class Upload:
    """A project that is filled run by run, or a folder that is filled for `wandb sync`.

    Attributes:
        project: the project.
        folder: folder of W&B's files on this machine.
        wait: seconds after which a run is given up.
        online: whether runs are sent now.
    """

    project: WandbProject
    folder: Path
    wait: float
    online: bool

    def fill(self, planned: PlannedRun) -> Fate:
        """Send a run, unless all of it is there, or it sums up less than the project holds; offline, leave it.

        Raises:
            WandbError: when W&B refuses, or is not done in time.
        """
        with self.project.as_study_errors():
            if not self.online:
                self._send(planned)
                return Fate.SENT
            with service_timeout(self.wait, planned.size):
                there = self.project.find(planned.run.shown_id) or self._under_former_id(planned)
                if there and there.mark == planned.digest:
                    return Fate.UNCHANGED
                if planned.sums_up and self._has_more(planned):
                    return Fate.OUTDATED
                found = planned if there is None else replace(planned, run=replace(planned.run, sweep_id=there.id))
                self._send(found)
                self.project.mark(found.run.shown_id, planned.digest)
                return Fate.SENT

    def _send(self, planned: PlannedRun) -> None:
        patience = self.wait + planned.size / BYTES_A_SECOND
        options = WandbTracking(entity=self.project.entity, project=self.project.project, patience=patience)
        run = open_run(planned.run, options, self.folder, online=self.online, notes=planned.notes or None)
        try:
            log_points(run, planned.points)
            for content in planned.inputs if self.online else ():  # offline, W&B keeps no lineage
                run.use_artifact(content.artifact())
            for content in planned.outputs:
                logged = run.log_artifact(content.artifact())
                if self.online:
                    logged.wait(timeout=math.ceil(patience))
            media = planned.media()
            if media:
                run.log(dict(media), step=run.starting_step)
            run.summary.update(dict(planned.run.summary))
        except BaseException:
            with suppress(Exception):
                run.finish(exit_code=1)
            raise
        run.finish(exit_code=0)

    def _under_former_id(self, planned: PlannedRun) -> RemoteRun | None:
        """The run under the id that an earlier version gave it, if it is not another's of the same id."""
        there = self.project.find(planned.former_id) if planned.former_id else None
        return there if there and there.name == planned.run.full_name else None

    def _has_more(self, planned: PlannedRun) -> bool:
        """Whether the project has outcomes of what a run sums up that it was not made from.

        Another lab has pushed them, or this one from another folder. The run of a setting is about this setting, the
        one of all about every setting of its subjects.
        """
        ours = {_names(content.about): set(content.files) for content in planned.sums_up}
        subjects = {content.about["subject"] for content in planned.sums_up}
        for about in self._known:
            concerns = _names(about) in ours or (not planned.run.setting_id and about.get("subject") in subjects)
            if concerns and any(is_part(name) for name in set(about["files"]) - ours.get(_names(about), set())):
                return True
        return False

    @cached_property
    def _known(self) -> list[Mapping[str, Any]]:
        """What every version of every setting's outcomes in the project says of itself."""
        try:
            found = [version.metadata for version in versions(self.project)]
        except WandbError as error:
            if isinstance(error.__cause__, TimeoutError):
                raise
            return []  # the project is new, or has none
        return [about for about in found if {"model", "data", "setting", "files"} <= set(about)]


def _names(about: Mapping[str, Any]) -> tuple[str, ...]:
    return about["model"], about["data"], about["setting"]
