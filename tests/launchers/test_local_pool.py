"""Sweeps on this machine through Hydra itself, with the launcher's own configuration; the command that shows them."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

APP = """
import hydra, os, time

class Work:
    def __call__(self, config):
        open(f"begun-{config.name}", "a").write("x")
        if config.name in config.broken:
            raise RuntimeError("broke on the way")
        try:
            time.sleep(config.seconds)
        finally:
            open(f"stored-{config.name}", "a").write("x")
        return {"threads": os.environ["OMP_NUM_THREADS"]}

def plain(config):
    return Work()(config)

if __name__ == "__main__":
    hydra.main(config_path=".", config_name="config", version_base="1.3")(plain)()
"""
CONFIG = "name: a\nseconds: 0.0\nbroken: []\nhydra: {mode: MULTIRUN}\n"


@pytest.fixture
def app(tmp_path: Path) -> Path:
    (tmp_path / "app.py").write_text(APP)
    (tmp_path / "config.yaml").write_text(f"defaults: [override hydra/launcher: local_pool, _self_]\n{CONFIG}")
    return tmp_path


def command(app: Path, *overrides: str) -> subprocess.Popen[str]:
    environment = {**os.environ, "COLUMNS": "160", "HYDRA_FULL_ERROR": "1"}
    return subprocess.Popen(
        [sys.executable, "app.py", *overrides],
        cwd=app, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip


def run(app: Path, *overrides: str) -> tuple[int, str]:
    process = command(app, *overrides)
    said = process.communicate(timeout=90)[0]
    return process.returncode, said


def launchers(app: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "launchers", *arguments],
        cwd=app,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def states(app: Path) -> dict[str, str]:
    return {job["name"]: job["state"] for job in json.loads(launchers(app, "status", "--json").stdout)["jobs"]}


def begun(app: Path) -> dict[str, int]:
    return {path.name.removeprefix("begun-"): path.stat().st_size for path in app.glob("begun-*")}


def test_a_sweep_and_its_difference(app: Path) -> None:
    status, said = run(app, "name=a,b")
    assert status == 0, said
    assert "2 of 2 done" in said
    assert run(app, "name=a,b,c")[0] == 0
    assert begun(app) == {"a": 1, "b": 1, "c": 1}, "what is done is not done again"
    assert states(app) == {"name=a": "done", "name=b": "done", "name=c": "done"}
    assert launchers(app, "status").returncode == 0
    assert list(app.glob("multirun/*/*/1/.hydra/overrides.yaml")), "as a multirun leaves it"


def test_a_job_that_fails_leaves_the_others_and_is_retried(app: Path) -> None:
    status, said = run(app, "name=a,b,c", "broken=[b]", "hydra.launcher.after.command='ls > seen'")
    assert status == 1
    assert "1 of 3 jobs are not done" in said
    assert states(app) == {"name=a": "done", "name=b": "failed", "name=c": "done"}
    assert "stored-c" in (app / "seen").read_text(), "what comes after comes all the same"
    shown = launchers(app, "status")
    assert shown.returncode == 1
    assert "broke on the way" in shown.stdout
    assert "Traceback" in launchers(app, "logs", "--job", "name=b").stdout
    assert launchers(app, "retry").returncode == 2
    assert begun(app) == {"a": 1, "b": 2, "c": 1}


def test_ctrl_c_lets_jobs_store_what_they_have_and_the_same_command_goes_on(app: Path) -> None:
    process = command(app, "name=a,b,c", "seconds=2", "hydra.launcher.processes=2")
    deadline = time.monotonic() + 30
    while len(begun(app)) < 2:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    assert process.wait(30) != 0
    assert process.stdout
    process.stdout.close()
    assert sorted(path.name for path in app.glob("stored-*")) == [f"stored-{name}" for name in sorted(begun(app))]
    assert set(states(app).values()) == {"lost"}
    assert "stopped; what it had computed is stored" in launchers(app, "status").stdout
    assert run(app, "name=a,b,c", "seconds=2")[0] == 0
    assert set(states(app).values()) == {"done"}


def test_a_second_command_at_the_same_time_leaves_the_jobs_to_the_first(app: Path) -> None:
    first = command(app, "name=a,b", "seconds=6", "hydra.launcher.processes=2")
    deadline = time.monotonic() + 30
    while len(begun(app)) < 2:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    status, said = run(app, "name=a,b", "seconds=6")
    assert status == 1
    assert "2 jobs are under way already" in said
    assert first.wait(60) == 0
    assert first.stdout
    first.stdout.close()
    assert begun(app) == {"a": 1, "b": 1}


def test_a_plan_runs_nothing(app: Path) -> None:
    status, said = run(app, "name=a,b", "hydra.launcher.plan=true")
    assert status == 0, said
    assert "2 new" in said
    assert not (app / "sweeps").exists()


def test_unknown_fields_and_sweeps_are_refused_in_words(app: Path) -> None:
    status, said = run(app, "name=a", "+hydra.launcher.procesess=2")
    assert status == 1
    assert "hydra.launcher.procesess is not a field of LocalPoolConfig; allowed are folder, name, plan, retries" in said
    shown = launchers(app, "status")
    assert shown.returncode == 2
    assert "no sweep in" in shown.stderr
