"""Trainings: the course of each that was a job of a results folder, from the history beside it."""

import logging
from dataclasses import asdict
from pathlib import Path

import polars as pl

from study.record.errors import StudyError
from study.record.setting import ANEW
from study.record.training.history import HISTORY_FILE, read_history
from study.tracking.run import read_runs, training_folders

log = logging.getLogger(__name__)

TRAININGS = (
    dict.fromkeys(["training", "training_id"], pl.String)
    | dict.fromkeys(["seed", "step"], pl.Int64)
    | dict.fromkeys(["epoch", "learning_rate", "loss", "dev_loss", "dev_score", "seconds"], pl.Float64)
)


def read_trainings(results: Path) -> tuple[pl.DataFrame, list[str]]:
    """The records of every training, one a row, by step.

    Returns:
        Columns training (short name of the model), training_id, seed, and those of `study.record.training.history`; and
        which trainings were left out, and why.
    """
    rows, left_out = [], []
    for folder in training_folders(results):
        try:
            runs, history = read_runs(folder), read_history(folder)
        except StudyError as error:
            left_out.append(f"{folder.relative_to(results)}: {error}")
            log.warning("left out: %s", left_out[-1])
            continue
        if not runs or (not history and any(run.summary for run in runs)):
            lost = "the course of the training" if runs else "what training it is"
            left_out.append(f"{folder.relative_to(results)}: no file says {lost} (runs/, {HISTORY_FILE}); {ANEW}")
            log.warning("left out: %s", left_out[-1])
        for run in runs[:1]:  # all are of this training
            seed = run.config.get("model", {}).get("training", {}).get("seed")
            rows += [{"training": run.model, "training_id": folder.name, "seed": seed, **asdict(x)} for x in history]
    return pl.DataFrame(rows, schema=TRAININGS), left_out
