"""Sweeps through Hydra itself, with a small task that has nothing to do with heads."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from launchers.sweep.sweep import faulty

APP = """
import hydra
from omegaconf import DictConfig

class Work:
    def __call__(self, config):
        if config.fails:
            raise RuntimeError("broke on the way")
        with open("done.txt", "a") as file:
            file.write(f"{config.name} ")
        return {"square": float(config.size) ** 2}
    def rehearse(self, config):
        if config.size == 13:
            raise ValueError("thirteen brings bad luck")
    def check(self, config):
        if config.size < 0:
            raise ValueError(f"size {config.size}: must not be negative")
    def missing(self, config):
        return [f"data of {config.source or config.name}"]
    def prepare(self, config):
        with open("prepared.txt", "a") as file:
            file.write(f"{config.name} ")
    def remaining(self, config):
        return 1
    def estimate(self, config):
        return None
    def stage(self, config):
        return config.stage

def plain(config):
    Work()(config)

if __name__ == "__main__":
    import os, sys
    task = plain if os.environ.get("PLAIN") else Work()
    hydra.main(config_path=".", config_name="config", version_base="1.3")(task)()
"""

CONFIG = """
defaults:
  - override hydra/launcher: serial
  - _self_
name: a
size: 1
source: ""
stage: 0
fails: false
hydra:
  mode: MULTIRUN
"""


@pytest.fixture
def app(tmp_path: Path) -> Path:
    (tmp_path / "app.py").write_text(APP)
    (tmp_path / "config.yaml").write_text(CONFIG)
    launcher = tmp_path / "hydra" / "launcher"
    launcher.mkdir(parents=True)
    for name in ("serial", "fetch"):
        target = f"_target_: hydra_plugins.sixteen_heads.{name.capitalize()}Launcher\n"
        (launcher / f"{name}.yaml").write_text(target)
    return tmp_path


def run(app: Path, *overrides: str, plain: bool = False) -> subprocess.CompletedProcess[str]:
    environment = {
        "PATH": "/usr/bin:/bin",
        "HYDRA_FULL_ERROR": "1",
        "COLUMNS": "200",
        **({"PLAIN": "1"} if plain else {}),
    }
    command = [sys.executable, "app.py", *overrides]
    return subprocess.run(command, cwd=app, env=environment, capture_output=True, text=True, check=False)


def lines(app: Path, name: str) -> list[str]:
    return (app / name).read_text().split() if (app / name).exists() else []


def test_runs_the_jobs_in_order_and_shows_what_they_returned(app: Path) -> None:
    result = run(app, "name=a,b", "size=3")
    assert result.returncode == 0, result.stderr
    assert lines(app, "done.txt") == ["a", "b"]
    assert re.search(r"name=a,b +done +9\.00", result.stdout), "jobs that ended alike share a line"


def test_a_stage_waits_for_the_one_before(app: Path) -> None:
    assert run(app, "stage=2,0,1", "name=s${stage}").returncode == 0
    assert lines(app, "done.txt") == ["s0", "s1", "s2"]


def test_all_faults_are_found_before_anything_starts(app: Path) -> None:
    result = run(app, "size=1,-1,-2")
    assert result.returncode != 0
    assert "2 of 3 jobs cannot run; none was started" in result.stderr
    assert "size -1: must not be negative" in result.stderr
    assert "size -2: must not be negative" in result.stderr
    assert lines(app, "done.txt") == []


def test_a_job_that_makes_no_sense_stops_all_before_the_first_one(app: Path) -> None:
    result = run(app, "size=1,13")
    assert result.returncode != 0
    assert "1 of 2 jobs cannot run; none was started" in result.stderr
    assert "thirteen brings bad luck" in result.stderr
    assert lines(app, "done.txt") == []


def test_what_keeps_all_jobs_from_running_is_said_once() -> None:
    faults = {"seed=1": "the disk is read-only", "seed=2": "the disk is read-only"}
    assert str(faulty(faults, 2, "cannot run")) == "all 2 jobs cannot run: the disk is read-only"
    faults |= {"seed=3": "there is no seed 3"}
    said = str(faulty(faults, 4, "cannot run")).splitlines()
    assert said[0] == "3 of 4 jobs cannot run:"
    assert [line.strip() for line in said[1:]] == [
        "seed=1, seed=2: the disk is read-only",
        "seed=3: there is no seed 3",
    ]


def test_a_stage_does_not_start_when_the_one_before_is_not_complete(app: Path) -> None:
    result = run(app, "stage=0,1", "fails=true,false", "name=s${stage}")
    assert result.returncode != 0
    assert lines(app, "done.txt") == ["s0"]
    assert result.stdout.count("not started") >= 2
    assert "3 of 4 jobs are not done" in result.stderr


def test_a_failed_job_does_not_hurt_the_others(app: Path) -> None:
    result = run(app, "fails=true,false", "name=n_${fails}")
    assert result.returncode != 0
    assert lines(app, "done.txt") == ["n_False"]
    assert "broke on the way" in result.stdout + result.stderr
    assert "1 of 2 jobs are not done" in result.stderr
    assert "RuntimeError" in result.stdout, "an unexpected error is shown with its traceback"


def test_the_same_job_twice_is_one_job(app: Path) -> None:
    assert run(app, "name=a,a").returncode == 0
    assert lines(app, "done.txt") == ["a"]


def test_fetch_prepares_every_job_and_runs_none(app: Path) -> None:
    result = run(app, "name=a,b", "hydra/launcher=fetch")
    assert result.returncode == 0, result.stderr
    assert lines(app, "prepared.txt") == ["a", "b"]
    assert lines(app, "done.txt") == []


def test_what_two_jobs_need_is_fetched_once(app: Path) -> None:
    assert run(app, "name=a,b", "source=common", "hydra/launcher=fetch").returncode == 0
    assert lines(app, "prepared.txt") == ["a"]


def test_a_plain_task_runs_too(app: Path) -> None:
    result = run(app, "name=a,b", plain=True)
    assert result.returncode == 0, result.stderr
    assert lines(app, "done.txt") == ["a", "b"]
