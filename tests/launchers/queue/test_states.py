"""What is said of a job, from its attempts and what SLURM says of its element."""

import os
import re
from collections.abc import Iterable
from pathlib import Path

import pytest
from fixtures.sweep import Books, Made

from launchers.config import SlurmConfig, read_settings
from launchers.errors import LauncherError
from launchers.queue import commands as slurm
from launchers.queue import states
from launchers.queue.states import JobState, State, look, look_or_recall
from launchers.slurm.submit import recover, submit_jobs
from launchers.sweep.attempt import Outcome

CASES = [
    (None, "PENDING", State.queued),
    (None, "RUNNING", State.queued),
    (Outcome.RUNNING, "RUNNING", State.running),
    (Outcome.RUNNING, "COMPLETING", State.running),
    (Outcome.RUNNING, "PENDING", State.queued),  # requeued
    (Outcome.STOPPED, "PENDING", State.queued),
    (Outcome.KILLED, "RUNNING", State.queued),  # tried again
    (Outcome.FAILED, "RUNNING", State.failed),  # its neighbours go on
    (Outcome.DONE, "RUNNING", State.done),
    (Outcome.DONE, None, State.done),
    (Outcome.FAILED, None, State.failed),
    (Outcome.CRASHED, "FAILED", State.failed),
    (Outcome.KILLED, None, State.failed),
    (Outcome.RUNNING, "NODE_FAIL", State.lost),
    (Outcome.STOPPED, "TIMEOUT", State.lost),
    (Outcome.RUNNING, "CANCELLED", State.cancelled),  # by scancel
    (Outcome.FAILED, "CANCELLED", State.failed),
    (Outcome.RUNNING, None, State.lost),
    (None, None, State.lost),
]


def state_of_a(made: Made) -> JobState:
    return look(made.sweeps, ["a"])["a"]


def sent(made: Made) -> str:
    sweep = made.sweep("a")
    submit_jobs(made.sweeps, sweep, read_settings(sweep.settings, SlurmConfig))
    return made.sweeps.submission_folders()[-1].name


@pytest.mark.parametrize(("outcome", "element", "state"), CASES)
def test_a_job(made: Made, books: Books, outcome: Outcome | None, element: str | None, state: State) -> None:
    submission = sent(made)
    if outcome is not None:
        made.attempt("a", outcome, submission)
    books.elements = {} if element is None else {"100_0": element}
    assert state_of_a(made).state is state


def test_one_that_was_never_handed_out(made: Made, books: Books) -> None:
    made.sweep("a")
    assert state_of_a(made).state is State.new
    assert books.looks == 0


def test_one_that_is_lost_is_so_in_two_looks(made: Made, books: Books, monkeypatch: pytest.MonkeyPatch) -> None:
    made.attempt("a", Outcome.RUNNING, sent(made))
    seen = iter(["NODE_FAIL", "PENDING", "NODE_FAIL", "NODE_FAIL"])
    books.elements = {}

    def queue(names: Iterable[str], *, at_once: bool = False) -> slurm.Queue:
        return slurm.Queue({"100_0": slurm.Element(next(seen))}, {})

    monkeypatch.setattr(slurm, "queue", queue)
    assert state_of_a(made).state is State.queued, "it was requeued between the looks"
    assert state_of_a(made).state is State.lost


def test_the_accounting_says_why_it_was_lost(made: Made, books: Books) -> None:
    sent(made)
    books.elements = {}
    assert state_of_a(made).error == "it is gone from the queue without an outcome"
    books.accounted = {"100_0": "OUT_OF_MEMORY"}
    assert state_of_a(made).error == "SLURM: OUT_OF_MEMORY"
    said = "slurmstepd-n1: error: Exceeded job memory limit\nslurmstepd-n1: error: *** JOB 7 ON n1 CANCELLED AT 1 ***\n"
    made.sweeps.submission_folders()[-1].log(0, 0).write_text(said)
    assert state_of_a(made).error == "SLURM: OUT_OF_MEMORY; Exceeded job memory limit"


def test_a_job_sent_anew_is_not_judged_by_what_was_before(made: Made, books: Books) -> None:
    made.attempt("a", Outcome.FAILED, sent(made), error="broke")
    books.all("FAILED")
    assert (state_of_a(made).state, state_of_a(made).error) == (State.failed, "broke")
    sent(made)
    assert state_of_a(made).state is State.queued


def test_one_that_is_lost_before_it_began_anew_may_be_sent_again(made: Made, books: Books) -> None:
    made.attempt("a", Outcome.FAILED, sent(made), error="broke")
    books.all("FAILED")
    sent(made)
    books.all("NODE_FAIL")
    assert (state_of_a(made).state, state_of_a(made).error) == (State.lost, "SLURM: NODE_FAIL")


def test_one_that_slurm_did_not_take_again_is_what_it_was(
    made: Made, books: Books, monkeypatch: pytest.MonkeyPatch
) -> None:
    made.attempt("a", Outcome.FAILED, sent(made), error="broke")
    books.all("FAILED")

    def submit(script: Path, name: str) -> str:
        raise LauncherError(f"{script} {name}: this account has no hours left")

    monkeypatch.setattr(slurm, "submit", submit)
    with pytest.raises(LauncherError):
        sent(made)
    assert (state_of_a(made).state, state_of_a(made).error) == (State.failed, "broke")


def test_a_queue_that_cannot_be_asked_is_an_error(made: Made, books: Books, monkeypatch: pytest.MonkeyPatch) -> None:
    sent(made)
    monkeypatch.setattr(slurm, "queue", books.broken)
    with pytest.raises(LauncherError, match="squeue is not there"):
        state_of_a(made)


def test_what_was_cancelled_in_slurm_stays_cancelled(made: Made, books: Books) -> None:
    """By the accounting, or of an element that had not begun, of which SLURM keeps no record beside its array's."""
    sweep = made.sweep("abc")
    submit_jobs(made.sweeps, sweep, read_settings(sweep.settings, SlurmConfig))
    del books.elements["100_0"]
    found = look(made.sweeps, "abc")
    assert [found[id].state for id in "abc"] == [State.cancelled, State.queued, State.queued]
    books.elements, books.accounted = {}, {"100_1": "CANCELLED"}
    made.attempt("b", Outcome.RUNNING, made.sweeps.submission_folders()[-1].name)
    books.accounted["100_2"] = "NODE_FAIL"
    found = look(made.sweeps, "abc")
    assert [found[id].state for id in "abc"] == [State.cancelled, State.cancelled, State.lost]
    books.accounted = {}
    assert look(made.sweeps, "b")["b"].state is State.cancelled, "also when SLURM has forgotten it"
    assert [job.id for job in recover(made.sweeps, sweep, read_settings(sweep.settings, SlurmConfig)).sent] == ["c"]


def test_what_the_queue_calls_cancelled_stays_so_when_it_forgets(made: Made, books: Books) -> None:
    made.attempt("a", Outcome.RUNNING, sent(made))
    books.all("CANCELLED")
    assert state_of_a(made).state is State.cancelled
    books.elements = {}
    assert state_of_a(made).state is State.cancelled


def test_an_element_that_printed_something_had_begun(made: Made, books: Books) -> None:
    sweep = made.sweep("ab")
    submit_jobs(made.sweeps, sweep, read_settings(sweep.settings, SlurmConfig))
    made.sweeps.submission_folders()[-1].log(0, 0).write_text("no python here")
    del books.elements["100_0"]
    assert state_of_a(made).state is State.lost


def test_what_stands_on_disk_is_known_while_slurm_is_silent(made: Made, books: Books) -> None:
    sweep = made.sweep("abcd")
    submit_jobs(made.sweeps, sweep, read_settings(sweep.settings, SlurmConfig))
    for id, outcome in {"a": Outcome.DONE, "b": Outcome.RUNNING, "c": Outcome.FAILED}.items():
        made.attempt(id, outcome, made.sweeps.submission_folders()[-1].name)
    books.silent = True
    found, silence = look_or_recall(made.sweeps, "abcd")
    assert [found[id].state for id in "abcd"] == [State.done, State.running, State.failed, State.queued]
    since = re.search(r"does not answer `squeue`: .* \(since (\d\d:\d\d:\d\d)\)", silence)
    assert since
    os.utime(made.sweeps.silent, (0, 0))
    assert "(since 19" in look_or_recall(made.sweeps, "abcd")[1], "since the first time it was not heard"
    books.silent = False
    assert look_or_recall(made.sweeps, "abcd")[1] == ""
    assert not made.sweeps.silent.exists()


def test_a_colleague_who_may_only_read_sees_the_same(made: Made, books: Books, monkeypatch: pytest.MonkeyPatch) -> None:
    sent(made)
    books.accounted = {"100_0": "CANCELLED"}
    books.elements = {}

    def refused(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "touch", refused)
    made.sweeps.silent.mkdir()  # a file that can neither be written nor taken away
    assert look_or_recall(made.sweeps, "a")[0]["a"].state is State.cancelled
    books.silent = True
    found, silence = look_or_recall(made.sweeps, "a")
    assert found["a"].state is State.queued
    assert "(since " in silence


def test_a_local_pool_has_its_jobs_as_long_as_it_lives(made: Made) -> None:
    from launchers.sweep.packing import pack_arrays
    from launchers.sweep.submission import Submission

    sweep = made.sweep("ab")
    place = made.sweeps.submission("first")
    place.write(Submission("first", sweep.name, "local_pool", pack_arrays(sweep.jobs, 9, 9)))
    made.attempt("a", Outcome.RUNNING, "first")
    with place.alive():
        found = look(made.sweeps, ["a", "b"])
        assert [found[id].state for id in "ab"] == [State.running, State.queued]
    found = look(made.sweeps, ["a", "b"])
    assert [found[id].state for id in "ab"] == [State.lost, State.lost]


def test_two_looks_are_some_seconds_apart() -> None:
    assert states.SECONDS_BETWEEN_LOOKS >= 1
