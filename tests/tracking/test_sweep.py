"""A sweep of W&B over the command, by the example file: `wandb sweep`, `wandb agent`, then a push."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from fixtures.jobs import NUM_PAIRS
from fixtures.wandb.stand_in import StandIn

from analysis.__main__ import main
from study.tracking.run import read_runs

pytestmark = pytest.mark.usefixtures("undrawn")

EXAMPLE = Path(__file__).parents[2] / "examples" / "wandb_sweep.yaml"


def wandb_command(place: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """`wandb` as in a terminal, where the `python` of this environment is the one that is found."""
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}", "WANDB_MODE": "online"}
    command = [sys.executable, "-m", "wandb", *arguments]
    return subprocess.run(command, cwd=place, env=environment, capture_output=True, text=True, check=True, timeout=500)


@pytest.mark.slow
def test_the_example_hands_jobs_out_and_a_push_continues_their_runs(place: Path, server: StandIn, capsys) -> None:
    """The file as it is, but for a tiny model in the place of the fine-tuned ones."""
    sweep = yaml.safe_load(EXAMPLE.read_text())
    first, *_ = sweep["parameters"]["model.path"]["values"]
    sweep["parameters"]["model.path"]["values"] = [first]
    sweep["command"] += ["model.max_length=32", "device=cpu"]
    shutil.copytree(place / "model", place / first)
    (place / "sweep.yaml").write_text(yaml.safe_dump(sweep))
    made = wandb_command(place, "sweep", "--project", "heads", "sweep.yaml")
    (id_,) = server.sweeps
    assert f"wandb agent lab/heads/{id_}" in made.stdout + made.stderr
    wandb_command(place, "agent", f"lab/heads/{id_}")
    assert [parameters["measure"] for _, _, parameters in server.handed] == ["ablation", "all_but_one"]
    for _, name, parameters in server.handed:
        run = server.runs[name]
        assert (run.project, run.job_type, run.exit_code) == ("heads", parameters["measure"], 0)
        assert run.history[max(run.history)]["progress/rows"] >= 8 * NUM_PAIRS
        assert run.summary["base"] > 50
    before = {run.id: list(run.steps) for run in server.runs.values()}
    (setting,) = (place / "results").glob("*/*/*/setting.json")
    assert {run.sweep_id for run in read_runs(setting.parent)} == set(before)
    assert main(["push", str(place / "results"), "--wandb", "lab/heads", "--resamples", "99", "--splits", "3"]) == 0
    assert "4 runs sent" in capsys.readouterr().out, "two jobs, their effects, the report"
    assert {name: server.runs[name].steps for name in before} == before
