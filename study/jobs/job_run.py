"""A job as a run: what its configuration comes to, and following it to its end."""

import json
import os
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode

from study.record.errors import StudyError
from study.record.files import short_hash
from study.record.setting import Setting
from study.record.training_history import read_history
from study.tracking.history import History, OutcomesHistory, TrainingHistory
from study.tracking.run import (
    TRAININGS,
    Run,
    has_ended,
    own_options,
    read_runs,
    run_id,
    with_distinct_id,
    with_earlier_id,
)
from study.tracking.tracker import JobReport, open_tracker, say_nothing_is_sent, track
from study.training.trained_models import TrainedModel

if TYPE_CHECKING:
    from study.config import StudyConfig
    from study.engine.evaluator import Evaluator


def follow_measure(study: "StudyConfig", evaluator: "Evaluator", *, done: bool) -> AbstractContextManager[JobReport]:
    """Follow a job that measures.

    Args:
        study: its configuration.
        evaluator: the evaluator of its model on its data.
        done: nothing is left to compute.
    """
    run = with_distinct_id(run_of(study, evaluator.setting, len(evaluator.examples)), Path(study.results))
    history = OutcomesHistory(evaluator.store.folder, run.id, run.examples)
    return _followed(study, run, evaluator.store.folder, history, done=done)


def follow_training(study: "StudyConfig", model: TrainedModel, *, done: bool) -> AbstractContextManager[JobReport]:
    """Follow the training of a model.

    Args:
        study: the configuration of its job.
        model: the model that is trained.
        done: no step is left, and the results folder has the training's course.
    """
    training, results = model.training, Path(study.results)
    run = Run(
        id=short_hash(["train", model.training_name, training.id]),
        setting_id="",
        model=model.training_name,
        data=training.train.name,
        measure=study.measure.name,
        examples=0,
        **_circumstances(study),
    )
    folder = _kept(results, model)
    return _followed(study, run, folder, TrainingHistory(folder, model.training_folder()), done=done)


def _followed(
    study: "StudyConfig", run: Run, folder: Path, history: History, *, done: bool
) -> AbstractContextManager[JobReport]:
    """Follow a job, unless it is done, its run has ended, and nobody waits for the rest of it."""
    tracking, results = study.tracking, Path(study.results)
    if done and has_ended(run, folder) and not tracking.mark(run, results).exists():
        say_nothing_is_sent(tracking.push(results))
        return nullcontext(JobReport())
    return track(run, folder, history, open_tracker(tracking, results))


def keeps_training(results: Path, model: TrainedModel) -> bool:
    """Whether a results folder has the course of a training, whole; it may have been a job of another one."""
    try:
        return bool(read_history(_kept(results, model))) and bool(read_runs(_kept(results, model)))
    except StudyError:
        return False


def _kept(results: Path, model: TrainedModel) -> Path:
    return results / TRAININGS / f"{model.training_name}-{model.training.id}"


def run_of(study: "StudyConfig", setting: Setting, num_examples: int) -> Run:
    """The run of a job that measures.

    Args:
        study: its configuration.
        setting: what it computes with.
        num_examples: how many it evaluates under each mask.
    """
    known = _circumstances(study)
    usual = _as_json(study.measure.usual())
    run = Run(
        id="",
        setting_id=setting.id,
        model=setting.model,
        data=setting.data,
        measure=study.measure.name,
        examples=num_examples,
        shard=study.shard,
        shards=study.shards,
        weights=str(study.model.folder()) if isinstance(study.model, TrainedModel) else "",
        options=own_options(known["config"]["measure"], usual),
        **known,
    )
    return with_earlier_id(replace(run, id=run_id(run)), setting.folder(Path(study.results)), usual)


def _circumstances(study: "StudyConfig") -> dict[str, Any]:
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
    experiment = hydra.runtime.choices.get("experiment")
    if experiment:
        return str(experiment)
    return "/".join(Path(hydra.sweep.dir).parts[-2:]) if hydra.mode is RunMode.MULTIRUN else ""
