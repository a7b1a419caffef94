"""Runs: what each job was, kept beside what came of it, so that it can be shown in W&B at any time.

    results/<model>/<data>/<setting id>/runs/<run id>.json    jobs that measure
    results/trainings/<model>-<training id>/                  a training: its run likewise, and its history.jsonl

Kept whether a job is tracked or not. The id is that of what was asked for: a job that is killed, queued again or
repeated is one run. What it computed carries the id in its parts, see `history`.
"""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from study.errors import StudyError
from study.files import whole_file
from study.sealed import read_sealed, sealed, short_hash
from study.setting import ANEW

FOLDER = "runs"

TRAININGS = "trainings"
"""In the results folder."""


class RunError(StudyError):
    """A file of a run that cannot be read."""


@dataclass(frozen=True)
class Run:
    """One job as people find it again.

    Attributes:
        id: see `run_id`.
        setting_id: of the setting that its outcomes belong to; empty for a training.
        model: short name.
        data: short name.
        measure: name.
        examples: how many it evaluates under each mask; 0 for a training.
        config: the whole configuration, as JSON values.
        shard: which share of the examples, of
        shards: so many.
        group: the sweep that it was last a part of; empty for a single job.
        sweep_id: id that a sweep of W&B gave this run in place of its own; empty where there was none.
        weights: folder of its model where it was trained here, on the machine that it ran on; else empty.
        summary: what came out, once the job has ended; see `summary`.
    """

    id: str
    setting_id: str
    model: str
    data: str
    measure: str
    examples: int
    config: Mapping[str, Any]
    shard: int = 0
    shards: int = 1
    group: str = ""
    sweep_id: str = ""
    weights: str = ""
    summary: Mapping[str, Any] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """As shown to people."""
        share = f", shard {self.shard} of {self.shards}" if self.shards > 1 else ""
        return f"{self.measure} of {self.model} on {self.data}{share}"


def run_id(setting_id: str, measure: Mapping[str, Any], shard: int, shards: int, limit: int | None) -> str:
    """The id of a job: of its setting, its measure with all options, and its share of the examples."""
    return short_hash([setting_id, dict(measure), shard, shards, limit])


def write_run(run: Run, folder: Path) -> None:
    """Keep a run in the folder of its setting or training; does nothing where it is kept as it is."""
    path = folder / FOLDER / f"{run.id}.json"
    with suppress(RunError):
        if _read(path) == run:
            return
    with whole_file(path) as draft:
        draft.write_text(sealed(asdict(run)), encoding="utf-8")


def read_runs(folder: Path) -> list[Run]:
    """Every run of the folder of a setting or a training, by name.

    Raises:
        RunError: for a file that is not a run.
    """
    runs = map(_read, sorted((folder / FOLDER).glob("*.json")))
    return sorted(runs, key=lambda run: (run.name, run.id))


def continued(run: Run, folder: Path) -> Run:
    """A run that begins, with what is kept of it from before: its summary, and the id that a sweep of W&B gave it."""
    path = folder / FOLDER / f"{run.id}.json"
    if not path.is_file():
        return run
    before = _read(path)
    return replace(run, summary=before.summary, sweep_id=run.sweep_id or before.sweep_id)


def _read(path: Path) -> Run:
    try:
        run = Run(**read_sealed(path))
        if run.id != path.stem:
            raise ValueError("it is that of another run")
        return run
    except (ValueError, TypeError, OSError) as error:
        raise RunError(f"{path} is not the whole file of a run ({error}): {ANEW}") from error


def training_folders(results: Path) -> list[Path]:
    """The folders of all trainings that were jobs of a results folder, by name."""
    return sorted(path for path in (results / TRAININGS).glob("*") if path.is_dir())
