"""What a plan says of a sweep; nothing is sent."""

from dataclasses import replace

import pytest
from fixtures.sweep import Books, Made

from launchers.config import SlurmConfig, read_settings
from launchers.slurm.plan import UNKNOWN, show_plan
from launchers.sweep.attempt import Outcome
from launchers.sweep.folder import SweepRecord


def planned(made: Made, books: Books, capsys: pytest.CaptureFixture[str], sweep: SweepRecord) -> list[str]:
    show_plan(made.sweeps, sweep, read_settings(sweep.settings, SlurmConfig))
    assert books.scripts == {}
    return [line.rstrip() for line in capsys.readouterr().out.splitlines()]


def of_seconds(sweep: SweepRecord, *seconds: float | None) -> SweepRecord:
    return replace(sweep, jobs=tuple(replace(job, seconds=s) for job, s in zip(sweep.jobs, seconds, strict=True)))


def test_hours(made: Made, books: Books, capsys: pytest.CaptureFixture[str]) -> None:
    sweep = made.sweep("abcd", "e", pack=2, at_once=2, gpus_per_node="a100:4")
    made.attempt("d", Outcome.DONE)
    lines = planned(made, books, capsys, of_seconds(sweep, 3600, 3600, None, 9e9, None))
    assert lines[0] == "small: 4 of 5 jobs would be sent; 1 done"
    three_hours = 3 * 3600  # c counts as the mean of a and b
    hours = f"{three_hours / 2 * 4 / 3600:g}"  # two at a time on four GPUs
    assert lines[2].split() == ["0", "0", "3", "2", "2", "about", hours, "GPU", "hours"]
    assert lines[3].split()[-1] == "unknown"
    assert lines[4] == UNKNOWN
    assert sum(line.startswith("#SBATCH --array") for line in lines) == 2


def test_where_all_is_known_nothing_is_said_of_it(made: Made, books: Books, capsys: pytest.CaptureFixture[str]) -> None:
    lines = planned(made, books, capsys, of_seconds(made.sweep("ab", pack=1, at_once=4), 30, 40))
    assert lines[2].split()[5:] == ["70", "s", "of", "elements"]
    assert UNKNOWN not in lines
