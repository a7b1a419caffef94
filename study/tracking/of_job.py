"""The run of a job: what its configuration and its setting come to as a run."""

import json
import os
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode

from study.setting import Setting
from study.tracking.run import Run, run_id

if TYPE_CHECKING:
    from study.config import StudyConfig


def run_of(study: "StudyConfig", setting: Setting, num_examples: int) -> Run:
    """The run of a job.

    Args:
        study: its configuration.
        setting: what it computes with.
        num_examples: how many it evaluates under each mask.
    """
    config = json.loads(json.dumps(asdict(study), default=str))
    return Run(
        id=run_id(setting.id, config["measure"], study.shard, study.shards, study.data.limit),
        setting_id=setting.id,
        model=setting.model,
        data=setting.data,
        measure=study.measure.name,
        examples=num_examples,
        config=config,
        shard=study.shard,
        shards=study.shards,
        group=study.tracking.group or _sweep(),
        sweep_id=os.environ.get("WANDB_RUN_ID", "") if os.environ.get("WANDB_SWEEP_ID") else "",
    )


def _sweep() -> str:
    """The experiment that this job is a part of; else when its sweep began; empty for a single job."""
    if not HydraConfig.initialized():
        return ""
    hydra = HydraConfig.get()
    experiment = hydra.runtime.choices.get("experiment")
    if experiment:
        return str(experiment)
    return "/".join(Path(hydra.sweep.dir).parts[-2:]) if hydra.mode is RunMode.MULTIRUN else ""
