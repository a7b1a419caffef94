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
from analysis.tracking.wandb_project import WandbProject
from analysis.tracking.wandb_runs import PushOptions, planned_runs, training_runs


def push_results(
    results: Path,
    analysis: Analysis | None,
    project: WandbProject,
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
        analysis: the analysis of it; None where models were trained and nothing has been measured of them yet.
        project: the project to fill.
        inference: how intervals and p values were made.
        models: the models that were chosen; empty for all.
        weights: whether the folders of the models are sent as well.
        offline: whether it is left in the results folder for `wandb sync`, also where a key is found.
        wait: seconds after which a run, or an answer, is given up.

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
    if done.outdated:
        fetching = f"python -m analysis fetch {project} {shlex.quote(str(results))}"
        said += (
            f", {len(done.outdated)} left as they are there, as the project has outcomes that this push has not "
            f"({'; '.join(done.outdated)}): `{fetching}`, and push again"
        )
    return said


def report_results(analysis: Analysis, project: WandbProject, path: Path) -> str:
    """Save the report in W&B; where it is, in words.

    Args:
        analysis: the analysis of a results folder.
        project: the project whose runs it is about.
        path: path of its JSON.

    Raises:
        StudyError: in words.
    """
    from analysis.tracking.wandb_report import save_report  # takes a second to import, and only this needs it

    saved = save_report(analysis, project, path)
    if saved.where == str(path):
        return f"no W&B key is found: the report is in {path}, and `wandb login` lets it be saved"
    return f"W&B: {'updated' if saved.updated else 'saved'} {saved.where}"


def fetch_results(project: str, results: Path, wait: float = USUAL_WAIT) -> str:
    """Bring what was pushed into a results folder; what was done, in words.

    Args:
        project: the project as one writes it.
        results: the folder.
        wait: seconds without a byte after which storage is given up.

    Raises:
        StudyError: in words.
    """
    done = fetch(WandbProject.parse(project), results, wait)
    return f"{results}: {done.written} files of {done.settings} settings fetched, {done.known} were here already"
