"""The jobs of a live page: read from the results folder for serial sweeps, from the folder of sweeps for the others."""

import time
from dataclasses import replace
from pathlib import Path

import pytest
from fixtures.results import fill

from launchers.queue.states import State
from launchers.sweep.attempt import Attempt, Outcome
from launchers.sweep.files import write_json
from launchers.sweep.folder import JobEntry, SweepRecord, SweepsFolder
from launchers.sweep.submission import Array, Submission
from sixteen_heads.live.jobs import JobLine, StudyJobs
from study.tracking.progress import ActiveJob, Agenda, Process, Request
from study.tracking.run import Run, write_run

GONE = Process(pid=2**22 + 1)


def run(measure: str, seconds: float | None = None) -> Run:
    """A run of a measure; one that is done took so many seconds."""
    summary = {} if seconds is None else {"base": 80.0, "seconds": seconds}
    return Run(measure, "0123", "model", "pairs", measure, 100, {}, summary=summary)


def lines(place: Path) -> list[JobLine]:
    (sweep,) = StudyJobs(place / "results", place / "sweeps").lines()
    return list(sweep.jobs)


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A serial sweep of three jobs: one is done, one has begun, one waits."""
    results = tmp_path / "results"
    requests = [Request.of(run(measure)) for measure in ("no_head", "ablation", "all_but_one")]
    Agenda("toy", tuple(requests)).write(results)
    write_run(run("no_head", 4.0), results / "model" / "pairs" / "0123")
    ActiveJob("ablation", requests[1], "model/pairs/0123", 400).write(results)
    return tmp_path


def test_each_job_is_in_its_state(place: Path) -> None:
    assert [line.state for line in lines(place)] == [State.done, State.running, State.queued]
    (sweep,) = StudyJobs(place / "results", place / "sweeps").lines()
    assert sweep.name == "toy"
    assert sweep.seconds_left == pytest.approx(2 * 4.0, abs=1.0), "each as long as the one that is done"


def test_rows_stored_since_the_job_began_say_how_far_it_is(tmp_path: Path) -> None:
    results = tmp_path / "results"
    store = fill(results, "accuracy", model="model", data="pairs", count=10)
    began = time.time() - 20
    rows = store.read().rows.head(100)
    for other, count in (("another run", 90), ("ablation", 60)):
        store.write(rows.head(count), {"run": other, "rows": count, "seconds": 5.0})
    folder = str(store.folder.relative_to(results))
    ActiveJob("ablation", Request.of(run("ablation")), folder, 240, began=began).write(results)
    (line,) = lines(tmp_path)
    assert (line.note, line.share) == ("60 of 240 rows", 0.25)
    assert line.seconds_left == pytest.approx(60, abs=8), "three times as many rows as took 20 s"

    ActiveJob("ablation", Request.of(run("ablation")), folder, 50, began=began).write(results)
    (line,) = lines(tmp_path)
    assert (line.note, line.share, line.seconds_left) == ("60 rows, 50 were expected", None, None)


def test_a_failed_job_says_why_and_a_killed_one_that_it_is_gone(place: Path) -> None:
    job = ActiveJob("ablation", Request.of(run("ablation")), "model/pairs/0123", 400)
    replace(job, error="no space left").write(place / "results")
    assert (lines(place)[1].state, lines(place)[1].note) == (State.failed, "no space left")
    replace(job, process=GONE).write(place / "results")
    assert lines(place)[1].state is State.lost


def test_jobs_of_a_sweep_whose_process_is_gone_wait_for_nobody(place: Path) -> None:
    requests = [Request.of(run(measure)) for measure in ("ablation", "all_but_one")]
    Agenda("toy", tuple(requests), process=GONE).write(place / "results")
    assert lines(place)[1].state is State.new


def test_a_job_of_no_sweep_is_shown_too(tmp_path: Path) -> None:
    ActiveJob("ablation", Request.of(run("ablation")), "model/pairs/0123", 400).write(tmp_path / "results")
    (sweep,) = StudyJobs(tmp_path / "results", tmp_path / "sweeps").lines()
    assert (sweep.name, [line.state for line in sweep.jobs]) == ("Single jobs", [State.running])


def test_jobs_of_no_sweep_run_side_by_side(tmp_path: Path) -> None:
    results = tmp_path / "results"
    for measure, began in (("ablation", 20), ("no_head", 40)):
        store = fill(results, "accuracy", model=measure, data="pairs", count=10)
        store.write(store.read().rows.head(50), {"run": measure, "rows": 50, "seconds": 5.0})
        folder = str(store.folder.relative_to(results))
        job = ActiveJob(measure, Request.of(run(measure)), folder, 100, began=time.time() - began)
        job.write(results)
    (sweep,) = StudyJobs(results, tmp_path / "sweeps").lines()
    assert sweep.seconds_left == pytest.approx(40, abs=8), "that of the slower one"


@pytest.mark.parametrize(("results", "shown"), [("results", True), ("elsewhere", False)])
def test_a_sweep_of_a_pool_is_shown_where_it_writes(tmp_path: Path, results: str, shown: bool) -> None:
    sweeps = SweepsFolder(tmp_path / "sweeps")
    entries = (JobEntry("a", "measure=ablation"), JobEntry("b", "measure=no_head"))
    for entry in entries:
        write_json(sweeps.job(entry.id).record, {"config": {"results": results}})
    sweeps.write_sweep(SweepRecord("pool-1", [], entries, "local_pool", {}, str(tmp_path)))
    submission = Submission("s", "pool-1", "local_pool", (Array(0, (("a", "b"),)),))
    sweeps.submission("s").write(submission)
    failed = Attempt.begin("s", "0_0", 0).end(Outcome.FAILED, "broke on the way")
    failed.write(sweeps.job("a").new_attempt())
    found = StudyJobs(tmp_path / "results", sweeps.path).lines()
    assert [sweep.name for sweep in found] == (["pool-1"] if shown else [])
    if shown:
        assert (found[0].jobs[0].state, found[0].jobs[0].note) == (State.failed, "broke on the way")
        assert found[0].jobs[1].state is State.lost, "nothing has the pool's lock"
