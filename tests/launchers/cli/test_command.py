"""`python -m launchers ...` and the job after the last array, with a SLURM that keeps its books in this process."""

import json
from typing import Any

import pytest
from fixtures.sweep import Books, Made

from launchers.__main__ import main
from launchers.cli import wait
from launchers.config import SlurmConfig, read_settings
from launchers.errors import SilentSlurmError
from launchers.queue.after_job import look_after
from launchers.queue.states import State
from launchers.slurm import after
from launchers.slurm.submit import submit_jobs
from launchers.sweep.attempt import Outcome
from launchers.sweep.folder import SweepRecord
from launchers.sweep.submission import AFTER

Said = pytest.CaptureFixture[str]


def sent(made: Made, *stages: str, command: str = "", **settings: Any) -> SweepRecord:
    sweep = made.sweep(*stages, **settings)
    sweep.settings["after"]["command"] = command
    made.sweeps.write_sweep(sweep)
    submit_jobs(made.sweeps, sweep, read_settings(sweep.settings, SlurmConfig))
    return sweep


def call(made: Made, *arguments: str) -> int:
    return main([*arguments, "--folder", str(made.sweeps.path)])


def last_submission(made: Made) -> str:
    return made.sweeps.submission_folders()[-1].name


def end(made: Made, books: Books, outcomes: dict[str, Outcome]) -> None:
    """All elements have ended, the jobs like this."""
    for name, outcome in outcomes.items():
        made.attempt(name, outcome, last_submission(made), ended=3601.0)
    books.all("COMPLETED")


def test_status_says_how_it_is(made: Made, books: Books, capsys: Said) -> None:
    sent(made, "abc")
    assert call(made, "status") == 3
    assert "0 of 3 done, 3 queued" in capsys.readouterr().out
    made.sweeps.job("b").log.write_text("one\ntwo\nthe last words\n")
    made.attempt("b", Outcome.FAILED, last_submission(made), error="ValueError: so it is", ended=2.0)
    end(made, books, {"a": Outcome.DONE, "c": Outcome.DONE})
    assert call(made, "status", "sm") == 1
    shown = capsys.readouterr().out
    assert "2 of 3 done, 1 failed; 2 an hour" in shown
    assert "ValueError: so it is" in shown
    assert "the last words" in shown
    assert call(made, "status", "--json") == 1
    said = json.loads(capsys.readouterr().out)
    assert said["counts"] == {"done": 2, "failed": 1}
    assert [(job["id"], job["state"], job["seconds"]) for job in said["jobs"]] == [
        ("a", "done", 3600.0),
        ("b", "failed", 1.0),
        ("c", "done", 3600.0),
    ]


def test_the_time_left_is_that_of_what_was_sent_last(made: Made, books: Books, capsys: Said) -> None:
    """Jobs that were done long ago say nothing of it."""
    sent(made, "ab")
    for name in "ab":
        made.attempt(name, Outcome.DONE, last_submission(made), ended=10.0)
    books.all("COMPLETED")
    sent(made, "abcdef")
    assert call(made, "status") == 3
    assert "an hour" not in capsys.readouterr().out
    for name in "cd":
        made.attempt(name, Outcome.DONE, last_submission(made), ended=3601.0)
    assert call(made, "status") == 3
    assert "; 2 an hour, about 60 min left" in capsys.readouterr().out


def test_a_log_is_shown_as_it_is(made: Made, books: Books, capsys: Said, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    made.sweep("a")
    line = "[bold] :fire: " + "word " * 20 + "end\n"
    made.sweeps.job("a").log.write_text(line)
    assert call(made, "logs", "--job", "name=a") == 0
    assert line in capsys.readouterr().out


def test_a_log_of_an_element_stands_in_for_a_job_that_never_began(made: Made, books: Books, capsys: Said) -> None:
    sent(made, "a")
    made.sweeps.submission_folders()[-1].log(0, 0).write_text("module: no such module\n")
    books.all("FAILED")
    assert call(made, "status") == 1
    assert "module: no such module" in capsys.readouterr().out
    assert call(made, "logs") == 0
    assert "module: no such module" in capsys.readouterr().out


@pytest.mark.parametrize(("name", "says"), [("nothing", "no sweep begins with 'nothing'"), (None, "no sweep in")])
def test_a_sweep_that_is_not_there(made: Made, capsys: Said, name: str | None, says: str) -> None:
    if name:
        made.sweep("a")
    assert call(made, "status", *([name] if name else [])) == 2
    assert says in capsys.readouterr().err


def test_wait_sends_again_what_was_lost(
    made: Made, books: Books, capsys: Said, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent(made, "ab", retries=1)
    slept = []

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        if len(slept) == 5:
            made.attempt("a", Outcome.DONE, last_submission(made))
            books.all("NODE_FAIL")
        if len(slept) == 8:
            end(made, books, {"b": Outcome.DONE})

    monkeypatch.setattr(wait.time, "sleep", lambda seconds: sleep(seconds) if seconds else None)
    assert call(made, "wait") == 0
    assert len(books.scripts) == 2
    assert slept[:5] == sorted(slept[:5])
    assert slept[4] > slept[0], "login nodes are shared: it asks less and less often"
    assert "2 of 2 done" in capsys.readouterr().out


def test_retry_and_cancel(made: Made, books: Books, capsys: Said) -> None:
    sent(made, "ab")
    end(made, books, {"a": Outcome.FAILED, "b": Outcome.DONE})
    assert call(made, "retry") == 0
    assert "1 jobs submitted as SLURM 101; 1 done before" in capsys.readouterr().out
    assert call(made, "cancel", "--job", "name=a") == 0
    assert books.cancelled == ["101_0"]
    assert call(made, "status") == 1
    assert "cancelled" in capsys.readouterr().out
    assert call(made, "cancel", "--job", "name=x") == 2


def test_after_the_last_job_the_command_runs_and_its_end_is_known(made: Made, books: Books, capsys: Said) -> None:
    sweep = sent(made, "ab", command="echo seen > seen; exit 3")
    assert look_after(made.sweeps, sweep).state is State.queued  # pyright: ignore[reportOptionalMemberAccess]
    end(made, books, {"a": Outcome.DONE, "b": Outcome.FAILED})
    place = made.sweeps.submission_folders()[-1]
    assert after.main(place.path) == 3
    assert (made.path / "seen").read_text() == "seen\n"
    made.attempt("b", Outcome.DONE, place.name)
    assert call(made, "status", "--json") == 1
    said = json.loads(capsys.readouterr().out)["after"]
    assert said == {"number": "101", "state": "failed", "log": str(place.log(AFTER, ""))}
    assert call(made, "wait") == 1
    assert "after the last job, SLURM 101: failed" in capsys.readouterr().out


def test_a_program_is_told_that_the_analysis_runs(made: Made, books: Books, capsys: Said) -> None:
    sent(made, "a", command="true")
    assert call(made, "status", "--json") == 3
    assert json.loads(capsys.readouterr().out)["after"] is None
    made.attempt("a", Outcome.DONE, last_submission(made))
    books.elements["101"] = "RUNNING"
    assert call(made, "status", "--json") == 3
    assert json.loads(capsys.readouterr().out)["after"]["state"] == "running"


def test_after_the_last_job_what_was_lost_is_sent_again_first(made: Made, books: Books) -> None:
    sweep = sent(made, "ab", command="touch seen")
    first = made.sweeps.submission_folders()[-1]
    made.attempt("a", Outcome.DONE, first.name)
    books.all("OUT_OF_MEMORY")
    assert after.main(first.path) == 0
    assert not (made.path / "seen").exists()
    found = look_after(made.sweeps, sweep)
    assert found is not None
    assert (found.number, found.state) == ("103", State.queued), "the analysis comes after the second try"
    end(made, books, {"b": Outcome.DONE})
    assert after.main(made.sweeps.submission_folders()[-1].path) == 0
    assert (made.path / "seen").exists()
    assert look_after(made.sweeps, sweep).state is State.done  # pyright: ignore[reportOptionalMemberAccess]


def test_an_analysis_that_a_killed_submitter_did_not_send_is_sent_by_the_next(made: Made, books: Books) -> None:
    books.die_before = 1
    with pytest.raises(KeyboardInterrupt):
        sent(made, "ab", command="true")
    books.die_before = None
    sent(made, "ab", command="true")
    assert "--dependency=afterany:100" in books.scripts["101"]
    sent(made, "ab", command="true")
    assert len(books.scripts) == 2


@pytest.mark.parametrize("ends", ["command fails", "NODE_FAIL", "CANCELLED"])
def test_an_analysis_that_is_not_done_is_sent_again_when_a_user_asks(
    made: Made, books: Books, capsys: Said, ends: str
) -> None:
    sent(made, "a", command="test -e cured")
    made.attempt("a", Outcome.DONE, last_submission(made))
    if ends == "command fails":
        assert after.main(made.sweeps.submission_folders()[-1].path) == 1
    books.all("FAILED" if ends == "command fails" else ends)
    assert call(made, "status") == 1
    assert call(made, "retry") == 0
    assert list(books.elements) == ["100_0", "101", "102"], "the analysis alone"
    assert call(made, "retry") == 0
    assert len(books.scripts) == 3
    (made.path / "cured").touch()
    assert after.main(made.sweeps.submission_folders()[-1].path) == 0
    assert call(made, "status") == 0
    assert call(made, "retry") == 0
    assert len(books.scripts) == 3


def test_where_the_queue_cannot_be_asked(
    made: Made, books: Books, capsys: Said, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent(made, "a")
    monkeypatch.setattr("launchers.queue.commands.queue", books.broken)
    assert call(made, "status") == 2
    assert "squeue is not there" in capsys.readouterr().err


def test_status_shows_what_is_on_disk_while_slurm_is_silent(made: Made, books: Books, capsys: Said) -> None:
    sent(made, "abc", command="python -m analysis")
    made.attempt("a", Outcome.DONE, last_submission(made))
    books.silent = True
    assert call(made, "status") == 3
    shown = " ".join(capsys.readouterr().out.split())
    assert "1 of 3 done, 2 queued" in shown
    assert "SLURM does not answer `squeue`" in shown
    assert call(made, "status", "--json") == 3
    assert "does not answer" in json.loads(capsys.readouterr().out)["silence"]
    assert call(made, "retry") == 1, "no error of the user's"


def test_wait_waits_for_slurm_too(made: Made, books: Books, capsys: Said, monkeypatch: pytest.MonkeyPatch) -> None:
    sent(made, "ab")
    books.silent = True
    slept: list[float] = []

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        if len(slept) == 3:
            books.silent = False
            end(made, books, {"a": Outcome.DONE, "b": Outcome.DONE})

    monkeypatch.setattr(wait.time, "sleep", sleep)
    assert call(made, "wait") == 0
    said = " ".join(capsys.readouterr().out.split())
    assert said.count("SLURM does not answer") == 1, "said once"
    assert "2 of 2 done" in said


def test_one_silence_after_the_last_job_is_said_once(
    made: Made, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    answers = iter([SilentSlurmError("SLURM does not answer"), SilentSlurmError("SLURM does not answer"), None])

    def look_after(*_: object) -> None:
        if error := next(answers):
            raise error

    monkeypatch.setattr(wait, "look_after", look_after)
    monkeypatch.setattr(wait.time, "sleep", lambda _seconds: None)
    assert wait.wait_for_after(made.sweeps, made.sweep("a")) is None
    warned = [record.message for record in caplog.records if record.levelname == "WARNING"]
    assert warned == ["SLURM does not answer; waiting for it"]


def test_sweeps_of_the_working_directory_are_meant(made: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    made.sweep("a")
    monkeypatch.chdir(made.path)
    assert main(["status"]) == 3
