"""What the command says without a word, and when it is stopped."""

import sys

import pytest

from study import __main__ as entry
from study.command import command_line, commands
from study.entry_files import options
from study.record.errors import Interruption
from study.terminal.interruption import INTERRUPTED


@pytest.mark.parametrize("words", [[], ["-h"], ["--help"], ["help"]])
def test_without_a_word_nothing_runs_and_help_is_shown(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    command_line.run(words)
    said = capsys.readouterr().out
    assert all(f" {name} " in said for name in options("measure"))
    for wanted in ("study experiment=NAME", "plan=true", "model=hf_classifier model.path=FOLDER"):
        assert said.index(wanted) < said.index("Measures (")
    assert "schema" not in said


@pytest.mark.parametrize("words", [["prune", "--help"], ["prune"]])
def test_prune_has_a_help_of_its_own(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    command_line.run(words)
    assert "out=FOLDER" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("stop", "says"),
    [
        (KeyboardInterrupt(), "study: stopped. What was computed is stored: the same command goes on from there\n"),
        (Interruption("The training begins anew"), "study: stopped. The training begins anew\n"),
    ],
)
def test_ctrl_c_says_what_is_kept(
    stop: KeyboardInterrupt, says: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def stopped(*_: object) -> None:
        raise stop

    monkeypatch.setattr(commands, "_run", stopped)
    monkeypatch.setattr(sys, "argv", ["study", "model=toy_classifier"])
    assert entry.main() == INTERRUPTED
    assert capsys.readouterr().err == says


def test_ctrl_c_while_python_imports_prints_no_traceback(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    class Slow:
        def find_spec(self, name: str, *_: object) -> None:
            if name == "study.command.command_line":
                raise KeyboardInterrupt

    monkeypatch.delitem(sys.modules, "study.command.command_line", raising=False)
    monkeypatch.setattr(sys, "meta_path", [Slow(), *sys.meta_path])
    assert entry.main() == INTERRUPTED
    assert capsys.readouterr().err == "study: stopped\n"
