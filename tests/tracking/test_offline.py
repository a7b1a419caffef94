"""What an offline run holds, read back from its file, is what the store holds."""

import logging
import os
import socket
from pathlib import Path

import numpy as np
import polars as pl
import psutil
import pytest
import wandb
from fixtures.jobs import NUM_PAIRS, overrides
from fixtures.wandb.run_file import Logged, read_run

from study.config import compose
from study.jobs.task import StudyTask
from study.record.setting import read_setting
from study.record.store import read_parts
from study.tracking.options import WandbTracking
from study.tracking.run import Run, read_runs
from study.tracking.wandb_access import key_is_known
from study.tracking.wandb_run import open_run

OFFLINE = ("tracking=wandb",)


def runs_of(results: Path) -> list[Logged]:
    wandb.teardown()  # as at the end of a process: what is logged is on the disk
    return [read_run(folder) for folder in sorted((results / "wandb").glob("offline-run-*"))]


def setting_of(results: Path) -> Path:
    (path,) = results.glob("*/*/*/setting.json")
    return path.parent


def stored_run(results: Path) -> Run:
    (run,) = read_runs(setting_of(results))
    return run


def test_what_is_logged_is_what_is_stored(place: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    StudyTask()(compose(*overrides(place, "measure=ablation", *OFFLINE)))
    (logged,) = runs_of(place / "results")
    run, folder = stored_run(place / "results"), setting_of(place / "results")
    assert (logged.id, logged.job_type, logged.exit_code) == (run.id, "ablation", 0)
    assert set(logged.tags) == {"model", "pairs"}
    assert logged.config["measure"] == {"name": "ablation", "unit": "head"}
    assert run.config["measure"] == {"name": "ablation", "kinds": [], "unit": "head"}
    assert logged.config["setting"] == folder.name
    heights = [pl.read_parquet(part).height for part in sorted(folder.glob("part-*"))]
    assert [point["_step"] for point in logged.history] == np.cumsum(heights).tolist() == [NUM_PAIRS, 9 * NUM_PAIRS]
    assert [point["progress/masks"] for point in logged.history] == [1, 9]
    rows = read_parts(folder).rows
    right = dict(rows.group_by("mask").agg(100 * pl.col("correct").sum() / pl.col("count").sum()).iter_rows())
    effects = {head: right["1" * i + "0" + "1" * (7 - i)] - right["1" * 8] for i, head in enumerate(heads_of(folder))}
    assert logged.summary["base"] == pytest.approx(right["1" * 8], abs=1e-9)
    assert logged.summary["lowest_effect"] == pytest.approx(min(effects.values()), abs=1e-9)
    assert logged.summary["highest_effect"] == pytest.approx(max(effects.values()), abs=1e-9)
    assert effects[logged.summary["lowest_effect_of"].removesuffix(" off")] == min(effects.values())
    assert logged.summary["rows"] == rows.height
    assert {name: logged.summary[name] for name in run.summary} == dict(run.summary)
    assert sum("wandb sync" in message for message in caplog.messages) == 1


def heads_of(folder: Path) -> list[str]:
    return list(map(str, read_setting(folder).layout.heads))


def test_a_repeated_job_starts_nothing_and_a_second_measure_has_a_run_of_its_own(place: Path) -> None:
    for measure in ("ablation", "ablation", "all_but_one"):
        StudyTask()(compose(*overrides(place, f"measure={measure}", *OFFLINE)))
    first, other = runs_of(place / "results")
    assert first.id != other.id
    assert [point["_step"] for point in first.history] == [NUM_PAIRS, 9 * NUM_PAIRS]
    assert [point["_step"] for point in other.history] == [8 * NUM_PAIRS], "the base score was the first run's"


def test_tracking_changes_no_identity_and_no_number(place: Path) -> None:
    kept = {}
    for tracking in (("tracking=none",), OFFLINE):
        results = place / tracking[0].replace("=", "_")
        StudyTask()(compose(*overrides(place, "measure=all_but_one", f"results={results}", *tracking)))
        kept[tracking] = setting_of(results).name, read_parts(setting_of(results)).rows.sort("mask", "example")
        assert (results / "wandb").exists() == (tracking is OFFLINE)
        (run,) = read_runs(setting_of(results))
        kept[tracking] += (run.id,)
    (name, rows, run), (name_2, rows_2, run_2) = kept.values()
    assert (name, run) == (name_2, run_2)
    assert rows.equals(rows_2)


@pytest.mark.parametrize("inherited", ["3-1-unix-/nowhere/socket", "2-of another version"])
def test_the_service_of_who_submitted_a_job_is_not_needed_when_it_is_gone(
    place: Path, inherited: str, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As in a job of SLURM, whose environment is that of the `study` that has handed it out."""
    monkeypatch.setenv("WANDB_SERVICE", inherited)
    StudyTask()(compose(*overrides(place, "measure=base", *OFFLINE)))
    (logged,) = runs_of(place / "results")
    assert logged.summary["masks"] == 1
    assert not any("tracking has stopped" in message for message in caplog.messages)


def test_no_child_is_told_of_a_service_that_may_end_before_it() -> None:
    key_is_known()
    assert "WANDB_SERVICE" not in os.environ
    assert len(_services()) == 1, "it has been started all the same"


def _services() -> list[psutil.Process]:
    return [child for child in psutil.Process().children() if child.name() == "wandb-core"]


def test_shards_are_runs_of_their_own(place: Path) -> None:
    for shard in range(2):
        StudyTask()(compose(*overrides(place, "measure=ablation", "shards=2", f"shard={shard}", *OFFLINE)))
    logged = runs_of(place / "results")
    assert len({run.id for run in logged}) == 2
    assert [run.history[-1]["progress/rows"] for run in logged] == [9 * NUM_PAIRS / 2] * 2
    assert [run.history[-1]["progress/masks"] for run in logged] == [9, 9]


def test_a_job_that_fails_is_marked_so(place: Path) -> None:
    with pytest.raises(ValueError, match="nothing stored|first"):
        StudyTask()(compose(*overrides(place, "measure=pruning", *OFFLINE)))
    (logged,) = runs_of(place / "results")
    assert logged.exit_code == 1


def test_metrics_of_the_machine_come_without_its_name_and_the_command_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(socket, "gethostname", lambda: "a-planted-host-name")
    run = Run("ab", "", "model", "pairs", "base", 1, {})
    open_run(run, WandbTracking(project="heads", system_metrics=True), tmp_path, online=False).finish()
    wandb.teardown()
    (kept,) = tmp_path.rglob("*.wandb")
    assert "environment" not in read_run(kept.parent).kinds, "it has the command line"
    assert b"a-planted-host-name" not in kept.read_bytes()
