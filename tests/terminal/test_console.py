"""The terminal: log lines stand above progress bars, bars fit 80 columns and say how much, how fast and how long."""

import logging
import re
from io import StringIO

import pytest
from rich.console import Console

from study.terminal import console, progress
from study.terminal.console import LogLines, ShortLines
from study.terminal.progress import Course, clock

LONGEST = "toy_classifier on toy_mismatched"


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> StringIO:
    """What a terminal of 80 columns gets."""
    screen = StringIO()
    shared = Console(file=screen, force_terminal=True, width=80, color_system=None, legacy_windows=False)
    monkeypatch.setattr(console, "CONSOLE", shared)
    monkeypatch.setattr(progress, "CONSOLE", shared)
    return screen


@pytest.fixture
def log() -> logging.Logger:
    """A logger that writes as jobs do."""
    logger, handler = logging.Logger("a job"), LogLines()
    handler.setFormatter(ShortLines())
    logger.addHandler(handler)
    return logger


def lines(screen: StringIO) -> list[str]:
    return re.split(r"[\r\n]+", re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", screen.getvalue()))


def test_a_log_line_is_a_line_of_its_own_above_the_bar(terminal: StringIO, log: logging.Logger) -> None:
    with progress.progress(LONGEST, 54_000, "rows") as advance:
        advance(12_825)
        log.info("epoch %.2f: accuracy %.1f %%", 0.25, 41.6)
    assert [line for line in lines(terminal) if re.fullmatch(r"\d\d:\d\d:\d\d epoch 0.25: accuracy 41.6 %\s*", line)]


def test_a_bar_fits_the_terminal_and_leaves_nothing(terminal: StringIO, monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr("study.terminal.progress.time.monotonic", lambda: now[0])
    with progress.progress(LONGEST, 54_000, "rows") as advance:
        now[0] = 5.0
        advance(12_825)
    shown = [line.rstrip() for line in lines(terminal) if LONGEST in line]
    assert any(line.endswith("12,825/54,000 rows 2,565/s 0:16 left") for line in shown)
    assert max(map(len, shown)) <= 80
    assert lines(terminal)[-1].strip() == "", "the bar goes when the work is done"


def test_no_bar_where_there_is_nothing_to_do(terminal: StringIO) -> None:
    with progress.progress("correlations", 0, "pairs") as advance:
        advance(0)
    assert terminal.getvalue() == ""


def test_what_an_earlier_run_did_says_nothing_of_the_rate(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr("study.terminal.progress.time.monotonic", lambda: now[0])
    course = Course(1_000, "steps")
    course.advance(600)
    assert str(course) == "600/1,000 steps"
    now[0] = 10.0
    course.advance(5)
    assert str(course) == "605/1,000 steps 0.5/s 13:10 left"


@pytest.mark.parametrize(("seconds", "shown"), [(7.4, "0:07"), (59.6, "1:00"), (3723.0, "1:02:03")])
def test_times_are_shown_as_clocks_show_them(seconds: float, shown: str) -> None:
    assert clock(seconds) == shown


def test_warnings_are_called_so(log: logging.Logger, capsys: pytest.CaptureFixture[str]) -> None:
    log.warning("3 dead heads")
    log.info("a line of [brackets] " + "and many words " * 9)
    first, second = capsys.readouterr().err.splitlines()
    assert re.fullmatch(r"\d\d:\d\d:\d\d warning: 3 dead heads", first)
    assert second.endswith("many words "), "no line is broken where nobody reads it in a terminal"
