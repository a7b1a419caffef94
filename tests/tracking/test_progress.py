"""What is left in the results folder of work under way, and what becomes of it when a job ends, fails or is killed."""

import subprocess
import sys
from pathlib import Path

import pytest

from study.tracking.history import TrainingHistory
from study.tracking.progress import ActiveJob, Agenda, Process, Request, read_active_jobs, read_agendas
from study.tracking.run import Run, request_id
from study.tracking.tracker import track

RUN = Run("ab", "0123", "model", "pairs", "ablation", 120, {"data": {"limit": 50}})


def test_a_job_is_known_while_it_runs_and_forgotten_once_it_is_done(tmp_path: Path) -> None:
    with track(RUN, tmp_path / "model", TrainingHistory(tmp_path), None, tmp_path, 960) as report:
        (job,) = read_active_jobs(tmp_path)
        assert (job.run, job.folder, job.left, job.error) == ("ab", "model", 960, "")
        assert job.request.name == RUN.name
        assert not job.process.is_gone
        report.finish({"base": 83.1})
    assert not read_active_jobs(tmp_path)


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (KeyboardInterrupt(), "stopped; what was computed is stored"),
        (ValueError("two and two"), "ValueError: two and two"),
    ],
)
def test_a_job_that_failed_says_why_until_it_is_done(tmp_path: Path, error: BaseException, words: str) -> None:
    with (
        pytest.raises(type(error)),
        track(RUN, tmp_path / "model", TrainingHistory(tmp_path), None, tmp_path, 960),
    ):
        raise error
    assert [job.error for job in read_active_jobs(tmp_path)] == [words]
    with track(RUN, tmp_path / "model", TrainingHistory(tmp_path), None, tmp_path, 960) as report:
        report.finish({"base": 83.1})
    assert not read_active_jobs(tmp_path)


def test_a_request_is_known_without_its_setting() -> None:
    assert request_id(RUN) == request_id(Run("", "", "model", "pairs", "ablation", 0, {"data": {"limit": 50}}))
    assert request_id(RUN) != request_id(Run("", "", "model", "pairs", "ablation", 0, {"data": {"limit": None}}))


def test_models_of_several_seeds_are_several_jobs_and_named_by_them() -> None:
    """They share their names: `model.training.seed=1,2`, or `model.seed=1,2` of somebody's own trainings."""
    for config in ({"training": {"seed": 1, "order_seed": 7}}, {"seed": 1}):
        other = {**config, "seed": 2} if "seed" in config else {"training": {"seed": 2, "order_seed": 7}}
        runs = [Run("", "", "model", "pairs", "ablation", 0, {"model": model}) for model in (config, other, config)]
        agenda = Agenda.of("seeds", runs)
        further = ", order seed 7" if "training" in config else ""
        assert [job.name for job in agenda.jobs] == [
            f"ablation of model on pairs (seed {seed}{further})" for seed in (1, 2)
        ]
    assert [job.name for job in Agenda.of("one", runs[:1]).jobs] == ["ablation of model on pairs"]


def test_what_was_written_is_read_again_and_what_is_damaged_is_left_out(tmp_path: Path) -> None:
    first, second = Agenda("toy_nli", (Request.of(RUN),), began=1.0), Agenda("2026-11-29/14-03", (), began=2.0)
    for agenda in (first, second):
        agenda.write(tmp_path)
    job = ActiveJob("ab", Request.of(RUN), "model", 960)
    job.write(tmp_path)
    assert read_agendas(tmp_path) == [second, first]
    assert read_active_jobs(tmp_path) == [job]
    (tmp_path / "progress" / "job-ab.json").write_text("{")
    assert not read_active_jobs(tmp_path)


def test_a_process_is_gone_only_where_that_is_known() -> None:
    with subprocess.Popen([sys.executable, "-c", ""]) as ended:
        ended.wait()
    assert Process(pid=ended.pid).is_gone
    assert not Process().is_gone
    assert Process(started=Process().started - 3600).is_gone, "its number was given to another"
    assert not Process(started=None).is_gone, "of earlier versions the start is not known"
    assert not Process(host="elsewhere", pid=ended.pid).is_gone
