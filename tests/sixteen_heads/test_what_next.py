"""What comes after each command: commands that exist, on the same results and sweeps, to be pasted as they are."""

import shlex
from pathlib import Path

import pytest

import analysis.__main__
import launchers.__main__
from launchers.sweep.files import write_json
from launchers.sweep.folder import JobEntry, SweepRecord, SweepsFolder
from sixteen_heads.commands import ANALYSIS, COMMANDS, LAUNCHERS
from sixteen_heads.what_next import STEPS, CommandResult, Step, say_what_next

JOB = ["model=toy_classifier", "data=toy_matched"]
CASES = [
    ("run", CommandResult(JOB, 0, "results"), "study report"),
    ("run", CommandResult(JOB, 0, "my results"), "study report 'my results'"),
    ("run", CommandResult([*JOB, "plan=true"], 0, "results"), f"study {shlex.join(JOB)}"),
    ("plan", CommandResult([*JOB, "data.limit=9", "plan=true"], 0, "r"), f"study {shlex.join([*JOB, 'data.limit=9'])}"),
    ("run", CommandResult([*JOB, "hydra/launcher=slurm"], 0, "results"), "study wait"),
    (
        "run",
        CommandResult([*JOB, "hydra/launcher=slurm", "hydra.launcher.folder=/shared/s"], 0, "results"),
        "study wait --folder /shared/s",
    ),
    ("fetch", CommandResult(JOB, 0, "results"), f"study {shlex.join(JOB)}"),
    ("list", CommandResult(["toy_nli"]), "study plan experiment=toy_nli"),
    ("report", CommandResult(["elsewhere", "--pdf"]), "study open elsewhere"),
    ("import", CommandResult(["a.csv"]), "study open results/imported"),
    ("push", CommandResult(["elsewhere", "--wandb", "lab/heads"]), "study report elsewhere --wandb lab/heads"),
    ("pull", CommandResult(["lab/heads", "elsewhere"]), "study report elsewhere"),
    ("open", CommandResult(["elsewhere"]), "study report elsewhere --pdf"),
    ("serve", CommandResult(["--no-browser"]), "study report"),
    ("status", CommandResult([], 3), "study wait"),
    ("status", CommandResult([], 0), "study report mine"),
    ("wait", CommandResult(["first"], 1), "study logs first"),
    ("retry", CommandResult([]), "study status"),
    ("logs", CommandResult([]), "study retry"),
    ("cancel", CommandResult(["first"]), "study retry first"),
]


@pytest.fixture(autouse=True)
def _sweep(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A sweep that writes to `mine`, in a folder of sweeps of another name."""
    monkeypatch.chdir(tmp_path)
    for place in ("sweeps", "other"):
        folder = SweepsFolder(tmp_path / place)
        write_json(folder.job("a").record, {"config": {"results": "mine"}})
        folder.write_sweep(SweepRecord("first-1", [], (JobEntry("a", "a"),), "slurm", {}, str(tmp_path)))


def steps(name: str, done: CommandResult) -> list[Step]:
    return list(STEPS[name](done))


@pytest.mark.parametrize(("name", "done", "first"), CASES)
def test_the_first_step(name: str, done: CommandResult, first: str) -> None:
    assert steps(name, done)[0].command == first


def test_the_folder_of_sweeps_is_named_where_it_was() -> None:
    for name, status in (("status", 3), ("status", 1), ("logs", 0), ("cancel", 0), ("retry", 0)):
        for step in steps(name, CommandResult(["--folder", "other"], status)):
            assert "--folder" in step.command, step


@pytest.mark.parametrize(("name", "done"), [(name, done) for name, done, _ in CASES])
def test_every_step_is_a_command(name: str, done: CommandResult) -> None:
    for step in steps(name, done):
        _, word, *words = shlex.split(step.command)
        if word not in COMMANDS:
            assert "=" in word, "a job"
        elif COMMANDS[word].program == ANALYSIS:
            analysis.__main__.parse([word, *words], "study")
        elif COMMANDS[word].program == LAUNCHERS:
            launchers.__main__.parse([word, *words], "study")


def test_every_command_but_four_says_what_comes_next() -> None:
    assert set(COMMANDS) - set(STEPS) <= {"prune", "completion", "agree", "attention"}


@pytest.mark.parametrize(
    ("name", "done"),
    [
        ("status", CommandResult(["--json"], 0)),
        ("report", CommandResult(["--help"], 0)),
        ("run", CommandResult([*JOB, "--cfg", "job"], 0, "results")),
        ("report", CommandResult(["nowhere"], 2)),
        ("push", CommandResult(["--wandb", "a/b"], 130)),
    ],
)
def test_an_answer_for_programs_and_an_error_stand_alone(
    name: str, done: CommandResult, capsys: pytest.CaptureFixture[str]
) -> None:
    say_what_next(name, done)
    assert capsys.readouterr() == ("", "")


def test_what_programs_read_is_left_as_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    say_what_next("run", CommandResult(JOB, 0, "results"))
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err == "Results are in results. Next:\n  study report  tables, figures and a page\n"
