"""Sweeps on this machine through Hydra itself, with the launcher's own configuration; the command that shows them."""

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import chdir, redirect_stderr, redirect_stdout
from io import StringIO
from pathlib import Path

import pytest
from fixtures.processes import Ended

from launchers.__main__ import main

APP = """
import hydra, os, time

class Work:
    def __call__(self, config):
        open(f"begun-{config.name}", "a").write("x")
        if config.name in config.broken:
            raise RuntimeError("broke on the way")
        until = time.monotonic() + config.seconds
        try:
            while time.monotonic() < until and not os.path.exists("enough"):
                time.sleep(0.05)
        finally:
            open(f"stored-{config.name}", "a").write("x")
        return {"threads": os.environ["OMP_NUM_THREADS"]}

class Protocol(Work):
    def check(self, config): pass
    def missing(self, config): return []
    def prepare(self, config): pass
    def remaining(self, config): return None
    def estimate(self, config): return None
    def stage(self, config): return config.stage
    def rehearse(self, config):
        open("rehearsed", "a").write(f"{config.name} {os.getpid()} {os.environ['OMP_NUM_THREADS']}\\n")
        if config.name in config.senseless:
            raise ValueError("thirteen brings bad luck")
        if config.name in config.deadly:
            os.kill(os.getpid(), 9)

def plain(config):
    return Work()(config)

if __name__ == "__main__":
    task = Protocol() if os.environ.get("PROTOCOL") else plain
    hydra.main(config_path=".", config_name="config", version_base="1.3")(task)()
"""
CONFIG = """
name: a
seconds: 0.0
stage: 0
broken: []
senseless: []
deadly: []
hydra: {mode: MULTIRUN}
"""


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
    said = process.communicate(timeout=300)[0]
    return process.returncode, said


def launchers(app: Path, *arguments: str) -> Ended:
    """`python -m launchers ...` in a folder; in this process, but for what runs jobs."""
    if arguments[0] == "retry":
        command = [sys.executable, "-m", "launchers", *arguments]
        done = subprocess.run(command, cwd=app, capture_output=True, text=True, check=False, timeout=300)
        return Ended(done.returncode, done.stdout, done.stderr)
    out, err = StringIO(), StringIO()
    with chdir(app), redirect_stdout(out), redirect_stderr(err):
        status = main(arguments)
    return Ended(status, out.getvalue(), err.getvalue())


def states(app: Path) -> dict[str, str]:
    return {job["name"]: job["state"] for job in json.loads(launchers(app, "status", "--json").stdout)["jobs"]}


def begun(app: Path) -> dict[str, int]:
    return {path.name.removeprefix("begun-"): path.stat().st_size for path in app.glob("begun-*")}


def until_begun(app: Path, number: int) -> None:
    deadline = time.monotonic() + 120
    while len(begun(app)) < number:
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_a_sweep_and_its_difference(app: Path) -> None:
    status, said = run(app, "name=a,b", "hydra.launcher.after.command='exit 3'")
    assert status == 1
    assert "2 of 2 done" in said
    assert "all jobs are done; what comes after them failed, exit status 3" in said
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


def test_all_jobs_are_rehearsed_elsewhere_before_the_first_one_starts(
    app: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PROTOCOL", "1")
    process = command(app, "name=a,b,c,d", "senseless=[a,d]", "hydra.launcher.processes=2")
    said = process.communicate(timeout=300)[0]
    assert process.returncode == 1
    assert "2 of 4 jobs cannot run; none was started" in said
    assert "name=a, name=d: ValueError: thirteen brings bad luck" in said
    assert begun(app) == {}
    names, pids, threads = zip(*map(str.split, (app / "rehearsed").read_text().splitlines()), strict=True)
    assert sorted(names) == list("abcd")
    assert len(set(pids)) == 2
    assert str(process.pid) not in pids
    assert set(threads) == {str(max(1, len(os.sched_getaffinity(0)) // 2))}
    assert run(app, "name=a,b", "hydra.launcher.processes=2")[0] == 0
    (app / "rehearsed").unlink()
    assert run(app, "name=a,b,c")[0] == 0
    assert (app / "rehearsed").read_text().split()[0::3] == ["c"], "what is done is not rehearsed again"


def test_a_rehearsal_that_is_killed_stops_all(app: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PROTOCOL", "1")
    status, said = run(app, "name=a,b", "deadly=[b]")
    assert status == 1
    assert "a rehearsal was killed: SIGKILL; no job was started" in said
    assert begun(app) == {}


def test_a_stage_does_not_start_when_the_one_before_is_not_complete(app: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PROTOCOL", "1")
    status, said = run(app, "stage=0,1,2", "name=s${stage},t${stage}", "broken=[s1]")
    assert status == 1
    assert "stage 2 is not started: 1 jobs of earlier stages are not done" in said
    assert begun(app) == {"s0": 1, "t0": 1, "s1": 1, "t1": 1}
    assert list(states(app).values()) == ["done", "done", "failed", "done", "lost", "lost"]
    assert "its turn had not come" in launchers(app, "status").stdout


def test_ctrl_c_lets_jobs_store_what_they_have_and_the_same_command_goes_on(app: Path) -> None:
    process = command(app, "name=a,b,c", "seconds=200", "hydra.launcher.processes=2")
    until_begun(app, 2)
    process.send_signal(signal.SIGINT)
    assert process.wait(120) != 0
    assert process.stdout
    process.stdout.close()
    assert sorted(path.name for path in app.glob("stored-*")) == [f"stored-{name}" for name in sorted(begun(app))]
    assert set(states(app).values()) == {"lost"}
    assert "stopped; what it had computed is stored" in launchers(app, "status").stdout
    (app / "enough").touch()
    assert run(app, "name=a,b,c", "seconds=200")[0] == 0
    assert set(states(app).values()) == {"done"}


def test_a_second_command_at_the_same_time_leaves_the_jobs_to_the_first(app: Path) -> None:
    first = command(app, "name=a,b", "seconds=80", "hydra.launcher.processes=2")
    until_begun(app, 2)
    status, said = run(app, "name=a,b", "seconds=80")
    assert status == 1
    assert "2 jobs are under way already" in said
    (app / "enough").touch()
    assert first.wait(120) == 0
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
