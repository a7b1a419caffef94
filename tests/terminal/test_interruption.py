"""Ctrl-C is answered in words, once for every program."""

import pytest

from study.record.errors import Interruption
from study.terminal.interruption import INTERRUPTED, until_interrupted


@pytest.mark.parametrize(
    ("stop", "words"),
    [(KeyboardInterrupt(), "study: stopped\n"), (Interruption("All is stored"), "study: stopped. All is stored\n")],
)
def test_what_is_said_of_a_stop(stop: BaseException, words: str, capsys: pytest.CaptureFixture[str]) -> None:
    def stopped() -> int:
        raise stop

    assert until_interrupted(stopped) == INTERRUPTED == 130
    assert capsys.readouterr().err == words


def test_a_command_that_ends_gives_its_status() -> None:
    assert until_interrupted(lambda: 3) == 3
