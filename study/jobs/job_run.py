"""The run of a job: what is kept of it beside what it computes, and shown while it is under way."""

import json
import os
from contextlib import AbstractContextManager, nullcontext
from dataclasses import MISSING as NO_DEFAULT
from dataclasses import asdict, fields, is_dataclass, replace
from pathlib import Path
from typing import Any

from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import MISSING

from study.config import StudyConfig
from study.record.files import short_hash
from study.record.setting import Setting
from study.tracking.history import History
from study.tracking.run import Run, has_ended, own_options, run_id, with_earlier_id
from study.tracking.tracker import JobReport, open_tracker, say_nothing_is_sent, track
from study.tracking.trials import flat
from study.training.trained_models import TrainedModel
from study.training.training import Training


def report(
    study: StudyConfig, run: Run, folder: Path, history: History, left: int
) -> AbstractContextManager[JobReport]:
    """Keep the run of a job in a folder and show its history to its end; so many units of work are left to it.

    Nothing is begun for a job that is done, whose run has ended, and of which nobody waits for the rest.
    """
    results = Path(study.results)
    if not left and has_ended(run, folder) and not study.tracking.mark(run, results).exists():
        say_nothing_is_sent(study.tracking.push(results))
        return nullcontext(JobReport())
    return track(run, folder, history, open_tracker(study.tracking, results), results, left)


def training_run(study: StudyConfig, model: TrainedModel) -> Run:
    """The run of a job that trains a model."""
    return Run(
        id=short_hash(["train", model.training_name, model.training.id]),
        setting_id="",
        model=model.training_name,
        data=model.training.train.name,
        measure=study.measure.name,
        examples=0,
        **_circumstances(study),
    )


def usual_options(training: Training) -> dict[str, Any]:
    """What options of a training are where nobody gives them, by name below `model.training`, as JSON values."""
    return flat(_as_json(_usual(training)))


def _usual(options: Any) -> dict[str, Any]:
    """The default of each option that has one, and those of the options that are groups of options, as they are."""
    found: dict[str, Any] = {}
    for known in fields(options):
        own = getattr(options, known.name)
        if is_dataclass(own):
            found[known.name] = _usual(own)
        elif known.default_factory is not NO_DEFAULT:
            found[known.name] = known.default_factory()
        elif known.default not in (NO_DEFAULT, MISSING):
            found[known.name] = known.default
    return found


def run_of(study: StudyConfig, setting: Setting, num_examples: int) -> Run:
    """The run of a job that measures so many examples, under the id that an earlier version has kept it by."""
    weights = str(study.model.folder()) if isinstance(study.model, TrainedModel) else ""
    run = replace(measuring_run(study), setting_id=setting.id, examples=num_examples, weights=weights)
    usual = _as_json(study.measure.usual())
    return with_earlier_id(replace(run, id=run_id(run)), setting.folder(Path(study.results)), usual)


def measuring_run(study: StudyConfig) -> Run:
    """The run of a job that measures, as far as it is known before model and data are: without its setting."""
    known = _circumstances(study)
    return Run(
        id="",
        setting_id="",
        model=study.model.name,
        data=study.data.name,
        measure=study.measure.name,
        examples=0,
        shard=study.shard,
        shards=study.shards,
        options=own_options(known["config"]["measure"], _as_json(study.measure.usual())),
        replacement="" if study.replacement.is_usual else study.replacement.words(),
        **known,
    )


def _circumstances(study: StudyConfig) -> dict[str, Any]:
    """What the run of any job says of how it was asked for."""
    asked = {**asdict(study), "measure": study.measure.options()}
    return {
        "config": {name: value for name, value in _as_json(asked).items() if name != "tracking"},
        "group": study.tracking.group or _sweep(),
        "sweep_id": os.environ.get("WANDB_RUN_ID", "") if os.environ.get("WANDB_SWEEP_ID") else "",
    }


def _as_json(values: dict[str, Any]) -> dict[str, Any]:
    return json.loads(json.dumps(values, default=str))


def _sweep() -> str:
    """The experiment that this job is a part of; else when its sweep began; empty for a single job."""
    if not HydraConfig.initialized():
        return ""
    hydra = HydraConfig.get()
    several = hydra.mode is RunMode.MULTIRUN
    return sweep_name(hydra) if several else str(hydra.runtime.choices.get("experiment") or "")


def sweep_name(hydra: Any) -> str:
    """The experiment of a sweep; else when it began, `2026-11-29/14-03-59`."""
    return str(hydra.runtime.choices.get("experiment") or "/".join(Path(hydra.sweep.dir).parts[-2:]))
