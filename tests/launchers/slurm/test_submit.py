"""Handing out: every job once, whoever asks, however often, and whatever kills the one who asks."""

import errno
import re
from pathlib import Path

import pytest
from fixtures.sweep import Books, Made

from launchers.cli.cancel import cancel_jobs
from launchers.config import SlurmConfig, read_settings
from launchers.errors import LauncherError, SilentSlurmError
from launchers.queue import commands as slurm
from launchers.queue.states import State, look
from launchers.slurm.submit import recover, submit_jobs
from launchers.sweep.attempt import Outcome
from launchers.sweep.folder import JobFolder, SweepRecord


def send(made: Made, sweep: SweepRecord) -> list[str]:
    report = submit_jobs(made.sweeps, sweep, read_settings(sweep.settings, SlurmConfig))
    return [job.id for job in report.sent]


def states(made: Made, sweep: SweepRecord) -> dict[str, State]:
    return {id: state.state for id, state in look(made.sweeps, [job.id for job in sweep.jobs]).items()}


def last_submission(made: Made) -> str:
    return made.sweeps.submission_folders()[-1].name


def test_the_same_sweep_is_sent_once(made: Made, books: Books) -> None:
    sweep = made.sweep("abc", pack=2)
    assert send(made, sweep) == ["a", "b", "c"]
    assert send(made, sweep) == []
    books.all("RUNNING")
    assert send(made, sweep) == []
    assert len(books.scripts) == 1
    assert set(books.elements) == {"100_0", "100_1"}


def test_of_an_edited_sweep_the_difference_is_sent(made: Made, books: Books) -> None:
    send(made, made.sweep("abc"))
    made.attempt("a", Outcome.DONE)
    assert send(made, made.sweep("abcd")) == ["d"]
    assert send(made, made.sweep("ad")) == [], "another sweep shares what is under way"


def test_an_analysis_that_slurm_does_not_take_costs_no_job(
    made: Made, books: Books, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    sweep = made.sweep("ab")
    sweep.settings["after"]["command"] = "python -m analysis"

    def submit(script: Path, name: str) -> str:
        if script.stem == "after":
            raise LauncherError("this partition is for GPUs")
        return books.submit(script, name)

    with monkeypatch.context() as patch:
        patch.setattr(slurm, "submit", submit)
        assert send(made, sweep) == ["a", "b"]
    assert "was not sent (hydra.launcher.after): this partition is for GPUs" in caplog.text
    assert send(made, sweep) == []
    assert len(books.scripts) == 2, "the same command sends it when it can"


def test_a_disk_that_is_full_is_said_in_words(made: Made) -> None:
    """Whether a record cannot be written, or a script."""
    made.sweeps.job("a").path.parent.mkdir(parents=True)
    made.sweeps.job("a").path.touch()
    with pytest.raises(LauncherError, match=r"^cannot write .*/a/job\.json: Not a directory|File exists"):
        made.job("a")
    with pytest.raises(LauncherError, match="No space left on device: 'array-0.sh'"), made.sweeps.locked():
        raise OSError(errno.ENOSPC, "No space left on device", "array-0.sh")


def test_stages_wait_for_those_before_them(made: Made, books: Books) -> None:
    send(made, made.sweep("ab", "c", "d", max_array=1))
    waits = [re.findall(r"--dependency=(\S+)", text) for text in books.scripts.values()]
    assert waits == [[], [], ["afterany:100:101"], ["afterany:100:101:102"]]


def test_a_later_stage_waits_for_what_is_under_way_already(made: Made, books: Books) -> None:
    send(made, made.sweep("ab"))
    send(made, made.sweep("ab", "c"))
    assert "--dependency=afterany:100" in books.scripts["101"]


def test_the_analysis_comes_after_all(made: Made, books: Books) -> None:
    sweep = made.sweep("ab", "c")
    sweep.settings["after"]["command"] = "python -m analysis"
    send(made, sweep)
    assert "--dependency=afterany:100:101" in books.scripts["102"]
    assert "launchers.slurm.after" in books.scripts["102"]


@pytest.mark.parametrize("accepted", [False, True])
def test_a_submitter_that_is_killed_in_the_middle(made: Made, books: Books, accepted: bool) -> None:
    """Before or after sbatch took the second of three arrays."""
    sweep = made.sweep("abc", max_array=1)
    books.die_before, books.die_after = (None, 2) if accepted else (1, None)
    with pytest.raises(KeyboardInterrupt):
        send(made, sweep)
    books.die_before = books.die_after = None
    assert states(made, sweep)["a"] is State.queued
    assert send(made, sweep) == (["c"] if accepted else ["b", "c"])
    assert send(made, sweep) == []
    sent = [element for text in books.scripts.values() for element in re.findall(r"--array=(\S+)", text)]
    assert sent == ["0-0"] * 3


def test_a_submission_that_is_cut_between_two_arrays_says_what_is_sent(
    made: Made, books: Books, monkeypatch: pytest.MonkeyPatch
) -> None:
    sweep = made.sweep("ab", "c")

    def submit(script: Path, name: str) -> str:
        if script.stem == "array-1":
            raise SilentSlurmError("SLURM does not answer `sbatch`")
        return books.submit(script, name)

    with monkeypatch.context() as patch:
        patch.setattr(slurm, "submit", submit)
        says = r"2 of 3 jobs are sent \(SLURM 100\), the others are not: .*`sbatch`. The same command sends the rest"
        with pytest.raises(SilentSlurmError, match=says):
            send(made, sweep)
    assert send(made, sweep) == ["c"]


def test_what_failed_is_sent_again_when_a_user_asks(made: Made, books: Books) -> None:
    sweep = made.sweep("abc")
    send(made, sweep)
    made.attempt("a", Outcome.DONE, last_submission(made))
    made.attempt("b", Outcome.FAILED, last_submission(made), error="broke")
    assert states(made, sweep) == {"a": State.done, "b": State.failed, "c": State.queued}
    books.all("FAILED")
    assert send(made, sweep) == ["b", "c"]


def test_what_is_lost_is_sent_again_by_itself_within_a_bound(made: Made, books: Books) -> None:
    sweep = made.sweep("abc", pack=3, retries=2)
    settings = read_settings(sweep.settings, SlurmConfig)
    send(made, sweep)
    made.attempt("a", Outcome.DONE, last_submission(made))
    made.attempt("b", Outcome.RUNNING, last_submission(made))
    books.all("OUT_OF_MEMORY")
    assert states(made, sweep) == {"a": State.done, "b": State.lost, "c": State.lost}
    for _ in range(2):
        assert [job.id for job in recover(made.sweeps, sweep, settings).sent] == ["b", "c"]
        assert "--array=0-1" in list(books.scripts.values())[-1], "each in an element of its own"
        assert [job.id for job in recover(made.sweeps, sweep, settings).sent] == [], "it is under way"
        books.all("OUT_OF_MEMORY")
    assert [job.id for job in recover(made.sweeps, sweep, settings).sent] == []


def test_what_failed_for_want_of_what_was_lost_is_sent_again_too(made: Made, books: Books) -> None:
    sweep = made.sweep("ab", "cd")
    send(made, sweep)
    made.attempt("b", Outcome.FAILED, last_submission(made))
    made.attempt("c", Outcome.FAILED, last_submission(made))
    made.attempt("d", Outcome.DONE, last_submission(made))
    books.all("NODE_FAIL")
    sent = recover(made.sweeps, sweep, read_settings(sweep.settings, SlurmConfig)).sent
    assert [job.id for job in sent] == ["a", "c"]


def test_what_somebody_cancelled_in_slurm_is_not_sent_by_itself(made: Made, books: Books) -> None:
    sweep = made.sweep("ab")
    send(made, sweep)
    books.all("CANCELLED")
    assert recover(made.sweeps, sweep, read_settings(sweep.settings, SlurmConfig)).sent == ()


def test_cancelled_jobs_leave_their_neighbours_alone(made: Made, books: Books) -> None:
    sweep = made.sweep("abcd", pack=2)
    send(made, sweep)
    books.all("RUNNING")
    jobs = {job.id: job for job in sweep.jobs}
    with made.sweeps.locked():
        cancel_jobs(made.sweeps, [jobs["a"], jobs["c"], jobs["d"]])
    assert books.cancelled == ["100_1"], "the element of a and b goes on"
    assert made.sweeps.job("a").cancelled.exists()
    assert states(made, sweep) == {"a": State.cancelled, "b": State.queued, "c": State.cancelled, "d": State.cancelled}
    assert send(made, sweep) == ["a", "c", "d"]
    assert not made.sweeps.job("a").cancelled.exists()


def test_taking_many_back_looks_at_each_a_few_times(made: Made, books: Books, monkeypatch: pytest.MonkeyPatch) -> None:
    sweep = made.sweep("abcdefghijklmnopqrstuvwxyz", pack=13)
    sweep.settings["after"]["command"] = "true"
    send(made, sweep)
    looks: list[JobFolder] = []
    monkeypatch.setattr(JobFolder, "cancelled", property(lambda job: looks.append(job) or job.path / "cancelled"))
    cancel_jobs(made.sweeps, sweep.jobs)
    assert books.cancelled == ["100_0", "100_1", "101"], "the analysis too"
    assert len(looks) <= 4 * 26


def test_slurm_is_asked_once_for_all(made: Made, books: Books) -> None:
    sweep = made.sweep("abcdefgh", max_array=2)
    send(made, sweep)
    before = books.looks
    states(made, sweep)
    assert books.looks == before + 1
    for name in "abcdefgh":
        made.attempt(name, Outcome.DONE)
    states(made, sweep)
    assert books.looks == before + 1, "not at all when everything is done"


def test_a_snapshot_is_what_the_jobs_run(made: Made, books: Books) -> None:
    program = made.sweeps.path.parent
    (program / "app.py").write_text("VERSION = 1\n")
    sweep = made.sweep("a", snapshot=True)
    sweep = SweepRecord(**{**vars(sweep), "paths": [str(program)]})
    send(made, sweep)
    copy = made.sweeps.submission_folders()[-1].code / f"0-{program.name}"
    assert f"PYTHONPATH={copy}" in books.scripts["100"]
    (program / "app.py").write_text("VERSION = 2\n")
    assert (copy / "app.py").read_text() == "VERSION = 1\n"
    assert not (copy / "sweeps").exists()
