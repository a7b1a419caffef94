"""`python -m analysis push`, `fetch` and `report --wandb`: what they do, and what they say at the end."""

import shlex
import tempfile
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from analysis.compute import Analysis
from analysis.tracking.fetch import fetch
from analysis.tracking.push import OFFLINE, push
from analysis.tracking.timeouts import USUAL_WAIT
from analysis.tracking.wandb_project import Place
from analysis.tracking.wandb_runs import Options, planned, trainings


def push_results(
    results: Path,
    analysis: Analysis | None,
    place: Place,
    *,
    inference: Mapping[str, Any],
    models: Collection[str] = (),
    weights: bool = False,
    offline: bool = False,
    wait: float = USUAL_WAIT,
) -> str:
    """Fill W&B from a results folder; what was done, in words.

    Args:
        results: the folder.
        analysis: of it; None where models were trained and nothing has been measured of them yet.
        place: where to.
        inference: how its intervals and p values were made.
        models: those chosen; empty for all.
        weights: send the folders of the models as well.
        offline: leave it in the results folder for `wandb sync`, also where a key is found.
        wait: seconds after which a run, or an answer, is given up.

    Raises:
        StudyError: in words.
    """
    with tempfile.TemporaryDirectory(prefix="push-") as drafts:
        options = Options(Path(drafts), weights=weights, inference=inference, models=models)
        plan = trainings(results, models) if analysis is None else planned(analysis, options)
        done = push(list(plan), place, results, offline=offline, wait=wait)
    if done.offline:
        return (
            f"{done.sent} runs left for W&B: `wandb sync --yes {results / OFFLINE / 'wandb'}/offline-run-*` sends them"
        )
    said = f"W&B ({place}): {done.sent} runs sent, {done.unchanged} were there already"
    if done.outdated:
        fetching = f"python -m analysis fetch {place} {shlex.quote(str(results))}"
        names = "; ".join(done.outdated)
        said += (
            f", {len(done.outdated)} left as they are there, as the project has outcomes that this push has not "
            f"({names}): `{fetching}`, and push again"
        )
    return said


def report_results(analysis: Analysis, place: Place, path: Path) -> str:
    """Save the report in W&B; where it is, in words.

    Args:
        analysis: of a results folder.
        place: where to.
        path: of its JSON.

    Raises:
        StudyError: in words.
    """
    from analysis.tracking.wandb_report import save_report  # takes a second to import, and only this needs it

    saved = save_report(analysis, place, path)
    if saved.where == str(path):
        return f"no W&B key is found: the report is in {path}, and `wandb login` lets it be saved"
    return f"W&B: {'updated' if saved.updated else 'saved'} {saved.where}"


def fetch_results(place: str, results: Path, wait: float = USUAL_WAIT) -> str:
    """Bring what was pushed into a results folder; what was done, in words.

    Args:
        place: where from.
        results: the folder.
        wait: seconds without a byte after which storage is given up.

    Raises:
        StudyError: in words.
    """
    done = fetch(Place.parse(place), results, wait)
    return f"{results}: {done.written} files of {done.settings} settings fetched, {done.known} were here already"
