"""The one command: words find their program, and a user's own file never stands in for it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

import sixteen_heads
from sixteen_heads.__main__ import main
from sixteen_heads.commands import COMMANDS, entry, overview
from sixteen_heads.page import is_current


def test_help_has_a_line_for_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["help"]) == 0
    shown = capsys.readouterr().out
    assert overview() in shown
    assert all(f"study {name} " in shown for name in COMMANDS)


def test_the_version_is_that_of_the_package(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"sixteen-heads {sixteen_heads.__version__}\n"


@pytest.mark.parametrize(("word", "meant"), [("reprot", "report"), ("statsu", "status"), ("lst", "list")])
def test_a_misspelt_command_is_named(word: str, meant: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([word]) == 2
    assert f"did you mean `study {meant}`?" in capsys.readouterr().err


@pytest.mark.parametrize("command", ["report", "push", "pull", "import", "status", "logs", "retry", "open"])
def test_help_of_a_command_is_that_of_its_program(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="0"):
        main(["help", command])
    assert capsys.readouterr().out.startswith(f"usage: study {command} ")


def test_every_command_has_a_program() -> None:
    assert all(callable(entry(command.program)) for command in COMMANDS.values())


def test_a_file_of_the_users_is_named_and_not_run(tmp_path: Path) -> None:
    (tmp_path / "analysis.py").write_text("raise SystemExit('the wrong file')\n")
    code = "from sixteen_heads.commands import COMMANDS; COMMANDS['report'].run([])"
    run = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert run.returncode == 1
    assert f"`analysis` is {tmp_path / 'analysis.py'}" in run.stderr
    assert "rename that file" in run.stderr


def test_the_page_is_made_anew_when_something_was_stored_since(tmp_path: Path) -> None:
    page = tmp_path / "analysis" / "report" / "index.html"
    part = tmp_path / "model" / "data" / "0123" / "part-1.parquet"
    assert not is_current(page, tmp_path)
    for file in (part, page):
        file.parent.mkdir(parents=True)
        file.write_text("")
    assert is_current(page, tmp_path)
    later = page.stat().st_mtime + 1
    for written in ("part-2.parquet", "runs/0123.json"):
        file = part.parent / written
        file.parent.mkdir(exist_ok=True)
        file.write_text("")
        os.utime(file.parent, (later, later))
        assert not is_current(page, tmp_path)
        os.utime(page, (later, later))
        assert is_current(page, tmp_path)
        later += 1
