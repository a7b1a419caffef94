"""Runs: what each job was, kept beside what came of it, so that it can be shown in W&B at any time.

    results/<model>/<data>/<setting id>/runs/<run id>.json    jobs that measure
    results/trainings/<model>-<training id>/                  a training: its runs/ and its history.jsonl

Kept whether a job is tracked or not. The id is that of what was asked for: a job that is killed, queued again or
repeated is one run, and models of two names are two, be their weights equal. What it computed carries the id in its
parts, see `history`.
"""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from study.record.errors import StudyError
from study.record.factors import ZERO
from study.record.files import read_sealed, short_hash, write_sealed
from study.record.setting import ANEW

RUNS = "runs"
"""Folder of the runs in that of a setting or a training."""

TRAININGS = "trainings"
"""Folder of the trainings in the results folder."""

SEEDS = ("seed", "weights_seed", "order_seed")
"""Options of a model, or of its training."""


class RunError(StudyError):
    """A file of a run that cannot be read."""


@dataclass(frozen=True)
class Run:
    """One job as people find it again.

    Attributes:
        id: see `run_id`.
        setting_id: id of the setting that its outcomes belong to; empty for a training.
        model: short name.
        data: short name.
        measure: name.
        examples: how many it evaluates under each mask; 0 for a training.
        config: what was asked for, as JSON values; where it is shown does not belong to it.
        shard: number of its share of the examples, from 0 on.
        shards: number of shares.
        group: the sweep that it was last a part of; empty for a single job.
        sweep_id: id in W&B in place of its own, by a sweep of W&B or by `with_distinct_id`; else empty.
        for_training: whether a training ran it, to choose heads before its first step, and nobody asked for it else.
        options: options of its measure that are not as usual.
        weights: folder of its model where it was trained here, on the machine that it ran on; else empty.
        replacement: what stands in the place of a masked unit, in the words of `Factors.replacement`; empty for zero.
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
    replacement: str = ""
    for_training: bool = False
    options: Mapping[str, Any] = field(default_factory=dict)
    summary: Mapping[str, Any] = field(default_factory=dict)

    @property
    def shown_id(self) -> str:
        """The id that it has in W&B."""
        return self.sweep_id or self.id

    @property
    def name(self) -> str:
        """As shown to people: `pruning by random (kinds=cross) of wmt14 on newstest2013`."""
        order = self.measure_options.get("order")
        given = ", ".join(f"{name}={_words(name, value)}" for name, value in self.options.items() if name != "order")
        what = (f" by {order}" if order else "") + (f" ({given})" if given else "")
        share = f", shard {self.shard} of {self.shards}" if self.shards > 1 else ""
        return f"{self.measure}{what} of {self.model} on {self.data}{share}"

    @property
    def full_name(self) -> str:
        """The name with what else tells runs of one list apart: seeds of the model, what stands in for heads."""
        told = [f"{name.replace('_', ' ')} {value}" for name, value in seeds(self).items()]
        told += [f"replacement {self.replacement}"] if self.replacement else []
        return f"{self.name} ({', '.join(told)})" if told else self.name

    @property
    def measure_options(self) -> Mapping[str, Any]:
        """All options of its measure."""
        return self.config.get("measure", {})


def run_id(run: Run) -> str:
    """The id of what a run was asked as: setting, names, measure with its own options, and share of the examples."""
    return short_hash([run.setting_id, *_request(run)])


def request_id(run: Run) -> str:
    """The id of what a run was asked as, apart from its setting: known before model and data are on this machine."""
    replaced = replacement(run)
    return short_hash([*_request(run), seeds(run), *([replaced] if replaced else [])])


def seeds(run: Run) -> dict[str, Any]:
    """The seeds of a run's model by name: models of several seeds share a name."""
    model = run.config.get("model", {})
    known = {**(model.get("training") or {}), **{name: model[name] for name in SEEDS if model.get(name) is not None}}
    return {name: known[name] for name in SEEDS if known.get(name) is not None}


def replacement(run: Run) -> dict[str, Any]:
    """The options of what stands in the place of a masked unit, as far as they are set; none of zero everywhere."""
    given = run.config.get("replacement") or {}
    given = {"name": given} if isinstance(given, str) else dict(given)
    options = {name: value for name, value in given.items() if value is not None}
    return {} if options.get("name", ZERO) == ZERO and options.get("acts_on", "all") == "all" else options


def _request(run: Run) -> list[Any]:
    limit = run.config.get("data", {}).get("limit")
    return [run.model, run.data, run.measure, dict(run.options), run.shard, run.shards, limit]


def own_options(given: Mapping[str, Any], usual: Mapping[str, Any]) -> dict[str, Any]:
    """The options that are not as usual: an option that is added to a measure later changes no id."""
    return {name: value for name, value in given.items() if name not in usual or value != usual[name]}


def _words(name: str, value: object) -> str:
    if isinstance(value, list):
        return "+".join(map(str, value))
    return Path(str(value)).name if name == "file" else str(value)


def with_distinct_id(run: Run, results: Path) -> Run:
    """The run under an id that no other of its results folder has in W&B.

    Earlier versions made ids of the setting alone: a model of two names (the last checkpoint of a training) had one run
    for both. The first by name keeps the id, so that it goes on; each other has one of its own.
    """
    same = sorted(results.glob(f"*/*/{run.setting_id}/{RUNS}/{run.id}.json")) if run.setting_id else []
    if run.sweep_id or not same or same[0].parts[-5:-3] == (run.model, run.data):
        return run
    return replace(run, sweep_id=short_hash([run.id, run.model, run.data]))


def write_run(run: Run, folder: Path) -> None:
    """Keep a run in the folder of its setting or training; does nothing where it is kept as it is."""
    path = _file(run, folder)
    with suppress(RunError):
        if _read(path) == run:
            return
    write_sealed(path, asdict(run))


def read_runs(folder: Path) -> list[Run]:
    """Every run of the folder of a setting or a training, by name.

    Raises:
        RunError: for a file that is not a run.
    """
    return sorted(map(_read, sorted((folder / RUNS).glob("*.json"))), key=lambda run: (run.name, run.id))


def serves_trainings(folder: Path) -> bool:
    """Whether all jobs of a setting were run by trainings, to choose heads; not where a file cannot tell."""
    with suppress(RunError):
        runs = read_runs(folder)
        return bool(runs) and all(run.for_training for run in runs)
    return False


def with_earlier_id(run: Run, folder: Path, usual: Mapping[str, Any]) -> Run:
    """The run under the id that an earlier version has kept it by in the folder of its setting; else as it is."""
    if _file(run, folder).is_file():
        return run
    for path in sorted((folder / RUNS).glob("*.json")):
        with suppress(RunError):
            before = _read(path)
            if run_id(replace(before, options=own_options(before.measure_options, usual))) == run.id:
                return replace(run, id=before.id)
    return run


def has_ended(run: Run, folder: Path) -> bool:
    """Whether its end, too, is kept."""
    with suppress(RunError):
        return bool(_read(_file(run, folder)).summary)
    return False


def with_past(run: Run, folder: Path) -> Run:
    """A run that begins, with what is kept of it from before: its summary, who asked, and its id in a sweep of W&B.

    Raises:
        RunError: when what is kept cannot be read.
    """
    if not _file(run, folder).is_file():
        return run
    before = _read(_file(run, folder))
    kept = {"summary": before.summary, "sweep_id": run.sweep_id or before.sweep_id}
    return replace(run, for_training=run.for_training and before.for_training, **kept)


def _file(run: Run, folder: Path) -> Path:
    return folder / RUNS / f"{run.id}.json"


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
