"""A worker and real processes: each job's fate is its own; what was killed is tried again, alone, not for ever."""

import os
import signal
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from fixtures.sweep import PYTHONPATH, Made

from launchers.errors import LauncherError
from launchers.sweep import attempt
from launchers.sweep.attempt import Attempt, Outcome
from launchers.sweep.files import write_json
from launchers.sweep.folder import JobFolder
from launchers.worker.slots import slots
from launchers.worker.worker import Signals, Where, Worker

SHARE = {"PYTHONPATH": PYTHONPATH}


def work(
    jobs: Sequence[JobFolder], at_once: int = 2, retries: int = 1, gpus: Sequence[str] = ()
) -> tuple[Worker, list[str]]:
    said: list[str] = []
    shares = [{**SHARE, **slot} for slot in slots(at_once, list(gpus), 4)]
    worker = Worker(
        jobs, shares, Where("sub", "0_0"), retries=retries, say=lambda job, words: said.append(f"{job.id} {words}")
    )
    return worker, said


def run(jobs: Sequence[JobFolder], **how: int) -> Worker:
    worker, _ = work(jobs, **how)
    with Signals() as signals:
        assert worker.run(signals) is None
    return worker


def states(job: JobFolder) -> list[Outcome]:
    return [attempt.state for attempt in job.read_attempts()]


def soon(reached: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not reached():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_each_job_has_its_own_fate(made: Made) -> None:
    jobs = {name: made.job(name, does) for name, does in {"a": "nothing", "b": "raise", "c": "segfault"}.items()}
    worker = run(list(jobs.values()), at_once=3)
    assert {job.id for job in worker.failed} == {"b", "c"}
    assert states(jobs["a"]) == [Outcome.DONE]
    assert states(jobs["b"]) == [Outcome.FAILED], "what raised is not tried again"
    assert jobs["b"].read_attempts()[0].error == "RuntimeError: broke on the way"
    assert "broke on the way" in jobs["b"].log.read_text()
    assert states(jobs["c"]) == [Outcome.CRASHED]
    assert "Segmentation fault" in jobs["c"].log.read_text()
    assert (made.path / "out" / "a" / ".hydra" / "config.yaml").exists(), "as a multirun leaves it"


def test_a_killed_job_is_tried_again_alone(made: Made) -> None:
    jobs = [made.job("a", "die"), *(made.job(name) for name in "bcdef")]
    worker, said = work(jobs, at_once=2)
    with Signals() as signals:
        assert worker.run(signals) is None
    assert states(jobs[0]) == [Outcome.KILLED, Outcome.DONE]
    assert "out of memory is the usual reason" in str(jobs[0].read_attempts()[0].error)
    assert worker.failed == []
    again = max(place for place, line in enumerate(said) if line.startswith("a begins"))
    before = [line.split()[:2] for line in said[:again]]
    begun = [name for name, what in before if what == "begins,"]
    assert sorted(begun) == sorted(name for name, what in before if what != "begins,"), "nothing runs beside it"
    assert said[again + 1].startswith("a done")


def test_a_job_that_somebody_stops_is_tried_again(made: Made) -> None:
    job = made.job("a", "sleep")
    worker, _ = work([job])
    with Signals() as signals:
        thread = threading.Thread(
            target=lambda: (soon(lambda: made.starts("a") == 1), os.kill(job.read_attempts()[0].pid, signal.SIGTERM))
        )
        thread.start()
        assert worker.run(signals) is None
        thread.join()
    assert states(job) == [Outcome.KILLED, Outcome.DONE]


def test_not_for_ever(made: Made) -> None:
    job = made.job("a", "die", times=9)
    worker = run([job], retries=2)
    assert states(job) == [Outcome.KILLED] * 3
    assert worker.failed == [job]
    assert run([job], retries=2).failed == [job]
    assert made.starts("a") == 3, "nor when its element goes back to the queue"


@pytest.mark.parametrize("at", [Outcome.RUNNING, Outcome.KILLED])
def test_a_full_disk_costs_the_job_that_meets_it_not_its_neighbour(
    made: Made, monkeypatch: pytest.MonkeyPatch, at: Outcome
) -> None:
    """At its beginning, or at its end."""
    jobs = [made.job("a", "die", times=9), made.job("b")]

    def full(path: Path, content: Any, *, sync: bool = False) -> None:
        if path.parent.parent.name == "a" and content["state"] is at:
            raise LauncherError(f"cannot write {path}: No space left on device")
        write_json(path, content, sync=sync)

    monkeypatch.setattr(attempt, "write_json", full)
    worker, said = work(jobs, at_once=1, retries=3)
    with Signals() as signals:
        assert worker.run(signals) is None
    assert worker.failed == jobs[:1]
    assert states(jobs[1]) == [Outcome.DONE]
    assert any(line.startswith("a ") and line.endswith("No space left on device") for line in said)


def test_a_signal_lets_jobs_store_what_they_have(made: Made) -> None:
    jobs = [made.job("a", "sleep"), made.job("b", "sleep"), made.job("c")]
    worker, _ = work(jobs, at_once=2)
    with Signals(signal.SIGUSR2) as signals:
        thread = threading.Thread(
            target=lambda: (
                soon(lambda: made.starts("a") + made.starts("b") == 2),
                os.kill(os.getpid(), signal.SIGUSR2),
            )
        )
        thread.start()
        assert worker.run(signals) == signal.SIGUSR2
        thread.join()
        worker.stop()
    assert [states(job) for job in jobs] == [[Outcome.STOPPED], [Outcome.STOPPED], []]
    assert (made.path / "a.stored").exists()
    assert (made.path / "b.stored").exists()
    run(jobs)
    assert all(states(job)[-1] is Outcome.DONE for job in jobs), "a restarted element goes on"


def test_a_job_that_was_stopped_did_not_fail_whatever_its_exit_status(made: Made) -> None:
    job = made.job("a", "leave")
    worker, _ = work([job])
    worker._start()
    soon(lambda: made.starts("a") == 1)
    worker.stop()
    assert states(job) == [Outcome.STOPPED]


def test_a_restarted_element_repeats_nothing(made: Made) -> None:
    done, failed, left = made.job("a"), made.job("b", "raise"), made.job("c")
    run([done, failed])
    Attempt.begin("sub", "0_0", 0).write(left.new_attempt())  # its worker died with the node
    worker = run([done, failed, left])
    assert (made.starts("a"), made.starts("b"), made.starts("c")) == (1, 1, 1)
    assert states(left) == [Outcome.STOPPED, Outcome.DONE]
    assert worker.failed == [failed], "so that the element fails again"


def test_each_slot_has_its_own_gpu_and_threads(made: Made) -> None:
    jobs = [made.job(name) for name in "abcd"]
    worker, _ = work(jobs, at_once=2, gpus=["3", "5"])
    with Signals() as signals:
        worker.run(signals)
    values = [job.read_attempts()[0].value for job in jobs]
    assert {value["CUDA_VISIBLE_DEVICES"] for value in values[:2]} == {"3", "5"}
    assert {value["OMP_NUM_THREADS"] for value in values} == {"2"}


def test_a_cancelled_job_ends_and_its_neighbour_goes_on(made: Made) -> None:
    jobs = [made.job("a", "sleep"), made.job("b"), made.job("c")]
    jobs[2].cancelled.touch()
    worker, _ = work(jobs, at_once=1)
    with Signals() as signals:
        thread = threading.Thread(target=lambda: (soon(lambda: made.starts("a") == 1), jobs[0].cancelled.touch()))
        thread.start()
        worker.run(signals)
        thread.join()
    assert states(jobs[0]) == [Outcome.STOPPED]
    assert states(jobs[1]) == [Outcome.DONE]
    assert states(jobs[2]) == []
    assert worker.failed == []


def test_jobs_die_with_their_worker(made: Made) -> None:
    job = made.job("a", "sleep")
    pid = os.fork()
    if pid == 0:
        worker, _ = work([job])
        worker.run(Signals())
        os._exit(0)
    soon(lambda: made.starts("a") == 1)
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    child = int((made.path / "a").read_text())
    soon(lambda: not _lives(child))


def _lives(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().split()[2] != "Z"
    except FileNotFoundError:
        return False
