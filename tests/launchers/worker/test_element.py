"""An element of an array as SLURM starts and signals it."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from fixtures.sweep import PYTHONPATH, Made

from launchers.sweep.attempt import Outcome
from launchers.sweep.submission import Array, Submission
from launchers.worker.element import BACK_TO_THE_QUEUE


@contextmanager
def element(made: Made, *jobs: str, restart: int = 0, requeues: int = 2) -> Iterator[subprocess.Popen[str]]:
    """The first element of a submission of these jobs, as a process."""
    place = made.sweeps.submission("sub")
    place.write(Submission("sub", "small", "slurm", (Array(0, (jobs,)),), at_once=2, requeues=requeues))
    variables = {
        "PATH": "/nowhere",  # it needs no command of SLURM
        "PYTHONPATH": PYTHONPATH,
        "SLURM_ARRAY_JOB_ID": "7",
        "SLURM_ARRAY_TASK_ID": "0",
        "SLURM_RESTART_COUNT": str(restart),
        "SLURM_CPUS_PER_TASK": "4",
        "CUDA_VISIBLE_DEVICES": "1,3",
    }
    command = [sys.executable, "-m", "launchers.worker.element", str(place.path), "0"]
    process = subprocess.Popen(command, env=variables, stdout=subprocess.PIPE, text=True)
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def until_started(made: Made, *jobs: str) -> None:
    deadline = time.monotonic() + 20
    while not all(made.starts(name) for name in jobs):
        assert time.monotonic() < deadline
        time.sleep(0.05)


def last(made: Made, name: str) -> Outcome:
    return made.sweeps.job(name).read_attempts()[-1].state


def test_the_exit_status_tells_the_truth(made: Made) -> None:
    made.job("a"), made.job("b"), made.job("c", "raise")
    with element(made, "a", "b") as process:
        assert process.wait(30) == 0
    values = [made.sweeps.job(name).read_attempts()[0].value for name in "ab"]
    assert {value["CUDA_VISIBLE_DEVICES"] for value in values} == {"1", "3"}
    assert made.sweeps.submission("sub").read_id(0) == "7", "known also where the submitter could not write it down"
    with element(made, "a", "c") as process:
        assert process.wait(30) == 1


def test_near_the_time_limit_it_stores_and_asks_to_go_back_to_the_queue(made: Made) -> None:
    made.job("a", "sleep"), made.job("b", "sleep")
    with element(made, "a", "b") as process:
        until_started(made, "a", "b")
        process.send_signal(signal.SIGUSR2)
        assert process.wait(30) == BACK_TO_THE_QUEUE
        assert [last(made, name) for name in "ab"] == [Outcome.STOPPED] * 2
        assert all((made.path / f"{name}.stored").exists() for name in "ab")
    with element(made, "a", "b", restart=1) as process:
        assert process.wait(30) == 0


def test_not_for_ever(made: Made) -> None:
    made.job("a", "sleep")
    with element(made, "a", restart=2) as process:
        until_started(made, "a")
        process.send_signal(signal.SIGUSR2)
        deadline = time.monotonic() + 20
        while last(made, "a") is not Outcome.STOPPED:
            assert time.monotonic() < deadline
            time.sleep(0.05)
        time.sleep(0.5)
        assert process.poll() is None, "SLURM's own time limit ends it: TIMEOUT stands in the books"


def test_in_a_grace_time_it_stores_and_stays(made: Made) -> None:
    made.job("a", "sleep")
    with element(made, "a") as process:
        until_started(made, "a")
        process.terminate()
        deadline = time.monotonic() + 20
        while last(made, "a") is not Outcome.STOPPED:
            assert time.monotonic() < deadline
            time.sleep(0.05)
        time.sleep(0.5)
        assert process.poll() is None


def test_it_needs_no_torch_and_no_hydra_to_begin() -> None:
    code = "import launchers.worker.element, sys; print({'torch', 'hydra', 'omegaconf', 'submitit'} & set(sys.modules))"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=Path(__file__).parents[3]
    )
    assert done.stdout.strip() == "set()"
    assert os.environ.get("OMP_NUM_THREADS")
