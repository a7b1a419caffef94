"""Runs that jobs keep offline, as on nodes without a network, arrive by the command after the last job of the sweep."""

from pathlib import Path

import polars as pl
import pytest
from fixtures.jobs import NUM_PAIRS, overrides
from fixtures.processes import study
from fixtures.wandb.stand_in import StandIn

from study.record.store import read_parts

SYNC = "hydra.launcher.after.sync='wandb sync --yes results/wandb/offline-run-*'"


@pytest.mark.slow
def test_offline_runs_of_a_sweep_arrive_after_it(place: Path, server: StandIn, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/usr/bin:/bin")  # `wandb` is found beside this Python all the same
    jobs = overrides(place, "measure=ablation,no_head", "tracking=wandb", "tracking.mode=offline")
    done = study(place, *jobs, "hydra/launcher=local_pool", SYNC)
    assert done.returncode == 0, done.stdout + done.stderr
    runs = {run.job_type: run for run in server.runs.values()}
    assert set(runs) == {"ablation", "no_head"}
    assert {run.exit_code for run in runs.values()} == {0}
    rows = {name: run.history[max(run.history)]["progress/rows"] for name, run in runs.items()}
    assert rows["ablation"] in {8 * NUM_PAIRS, 9 * NUM_PAIRS}, "the full mask is whose job comes to it first"
    (setting,) = (place / "results").glob("*/*/*/setting.json")
    full = read_parts(setting.parent).rows.filter(~pl.col("mask").str.contains("0"))
    base = 100 * full["correct"].sum() / NUM_PAIRS
    assert [run.summary["base"] for run in runs.values()] == pytest.approx([base, base])
