"""A job as a run: what its configuration comes to, and following it to its end."""

import json
import os
from contextlib import AbstractContextManager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode

from study.errors import StudyError
from study.setting import Setting, short_hash
from study.tracking.follow import Following, follow
from study.tracking.history import OutcomesHistory, TrainingHistory
from study.tracking.run import TRAININGS, Run, read_runs, run_id
from study.training.models import TrainedModel
from study.training_history import read_history

if TYPE_CHECKING:
    from study.config import StudyConfig
    from study.evaluator import Evaluator


def follow_measure(study: "StudyConfig", evaluator: "Evaluator") -> AbstractContextManager[Following]:
    """Follow a job that measures."""
    run = run_of(study, evaluator.setting, len(evaluator.examples))
    history = OutcomesHistory(evaluator.folder, run.id, run.examples)
    return follow(run, evaluator.folder, history, study.tracking.tracker(Path(study.results)))


def follow_training(study: "StudyConfig", model: TrainedModel) -> AbstractContextManager[Following]:
    """Follow the training of a model."""
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
    return follow(run, folder, TrainingHistory(folder, model.training_folder()), study.tracking.tracker(results))


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
    return Run(
        id=run_id(setting.id, known["config"]["measure"], study.shard, study.shards, study.data.limit),
        setting_id=setting.id,
        model=setting.model,
        data=setting.data,
        measure=study.measure.name,
        examples=num_examples,
        shard=study.shard,
        shards=study.shards,
        weights=str(study.model.folder()) if isinstance(study.model, TrainedModel) else "",
        **known,
    )


def _circumstances(study: "StudyConfig") -> dict[str, Any]:
    """What the run of any job says of how it was asked for."""
    return {
        "config": json.loads(json.dumps(asdict(study), default=str)),
        "group": study.tracking.group or _sweep(),
        "sweep_id": os.environ.get("WANDB_RUN_ID", "") if os.environ.get("WANDB_SWEEP_ID") else "",
    }


def _sweep() -> str:
    """The experiment that this job is a part of; else when its sweep began; empty for a single job."""
    if not HydraConfig.initialized():
        return ""
    hydra = HydraConfig.get()
    experiment = hydra.runtime.choices.get("experiment")
    if experiment:
        return str(experiment)
    return "/".join(Path(hydra.sweep.dir).parts[-2:]) if hydra.mode is RunMode.MULTIRUN else ""
