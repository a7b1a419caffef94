"""What comes after each command: where results lie, and commands that can be pasted. The one place that says it.

It is written to the standard error stream, so that what a command prints can be read by programs as before.
"""

import shlex
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

USUAL_RESULTS = "results"
FLAGS = ("-h", "--help", "--json", "--cfg", "-c", "--info", "--hydra-help", "--shell-completion", "-sc", "--version")
"""Flags of commands that answer a question, or a program: nothing comes after them."""

NOT_DONE, USER_ERROR, UNDER_WAY, INTERRUPTED = 1, 2, 3, 130
"""Exit statuses of the commands."""

ERRORS = (USER_ERROR, INTERRUPTED)
"""After these the message has said what to do."""


@dataclass(frozen=True)
class Step:
    """A command that may come next.

    Attributes:
        command: as it can be pasted.
        gives: what it gives.
    """

    command: str
    gives: str


@dataclass(frozen=True)
class CommandResult:
    """What a command has come to.

    Attributes:
        words: its arguments.
        status: its exit status.
        results: the results folder of its jobs; None where it has none.
    """

    words: Sequence[str]
    status: int = 0
    results: str | None = None


def say_what_next(name: str, done: CommandResult) -> None:
    """Say what comes after a command of a name."""
    if done.status in ERRORS or any(word.split("=")[0] in FLAGS for word in done.words):
        return
    steps = list(STEPS[name](done)) if name in STEPS else []
    if not steps:
        return
    width = max(len(step.command) for step in steps) + 2
    where = f"Results are in {done.results}. " if name == "run" else ""
    print(f"{where}Next:", file=sys.stderr)
    for step in steps:
        print(f"  {step.command:<{width}}{step.gives}", file=sys.stderr)


def _with(command: str, results: str | Path, *more: str) -> str:
    """A command on a results folder, which is named where it is not the usual one."""
    place = [] if str(results) == USUAL_RESULTS else [str(results)]
    return shlex.join([*command.split(), *place, *more])


def _without(words: Sequence[str], *options: str) -> str:
    """The command of a job or sweep without some of its options."""
    return shlex.join(["study", *(word for word in words if word.split("=")[0] not in options)])


def _run(done: CommandResult) -> Iterator[Step]:
    if done.results is None:
        return
    if "plan=true" in done.words:
        yield Step(_without(done.words, "plan"), "does it")
        yield Step(_with("study serve", done.results), "a live page of it while it runs")
    elif not any(word == "hydra/launcher=slurm" for word in done.words):
        yield Step(_with("study report", done.results), "tables, figures and a page")
    else:
        folder = next((word.partition("=")[2] for word in done.words if word.startswith("hydra.launcher.folder=")), "")
        option = ["--folder", folder] if folder else []
        yield Step(shlex.join(["study", "wait", *option]), "until all jobs have ended; sends again what was lost")
        yield Step(_with("study serve", done.results, *option), "a live page: jobs, effects so far, time left")


def _fetch(done: CommandResult) -> Iterator[Step]:
    if done.results is not None:
        yield Step(_without(done.words), "runs it; nothing is left to download")


def _list(done: CommandResult) -> Iterator[Step]:
    from study.entry_files import options

    if done.words and done.words[-1] in options("experiment"):
        yield Step(f"study plan experiment={done.words[-1]}", "how much there is to do, and how long it takes")
    elif not done.words:
        yield Step("study list NAME", "all of one entry")
        yield Step("study plan experiment=toy_nli", "how much there is to do in an experiment")


def _report(done: CommandResult) -> Iterator[Step]:
    options = _analysis("report", done.words)
    if options.out is None:
        yield Step(_with("study open", options.results), "this page in a browser")
    if not options.wandb:
        yield Step(_with("study push", options.results), "all of it in Weights & Biases")


def _import(done: CommandResult) -> Iterator[Step]:
    out = _analysis("import", done.words).out
    yield Step(shlex.join(["study", "open", str(out)]), "this page in a browser")


def _push(done: CommandResult) -> Iterator[Step]:
    from study.tracking.options import destination

    options = _analysis("push", done.words)
    if not options.offline:
        place = options.wandb or "/".join(filter(None, destination(None, None)))
        yield Step(_with("study report", options.results, "--wandb", place), "a W&B report on these runs")


def _pull(done: CommandResult) -> Iterator[Step]:
    results = _analysis("pull", done.words).results
    yield Step(_with("study report", results), "tables, figures and a page of all that is here now")


def _open(done: CommandResult) -> Iterator[Step]:
    if not done.status:
        place = done.words[0] if done.words else USUAL_RESULTS
        yield Step(_with("study report", place, "--pdf"), "the figures as PDF too, for a paper")


def _serve(done: CommandResult) -> Iterator[Step]:
    place = done.words[0] if done.words and not done.words[0].startswith("-") else USUAL_RESULTS
    yield Step(_with("study report", place), "tables, figures and a page of what is stored")


def _sweep(done: CommandResult) -> Iterator[Step]:
    """After `status`, `wait` and `retry`, by what became of the sweep."""
    arguments, where = _launchers("status", done.words)
    if done.status == UNDER_WAY:
        yield Step(f"study wait{arguments}", "until all jobs have ended")
        yield Step(_with("study serve", where) + _folder(done.words), "a live page: jobs, effects so far, time left")
    elif done.status == NOT_DONE:
        yield Step(f"study logs{arguments}", "what the jobs printed")
        yield Step(f"study retry{arguments}", "submits what failed, was lost or cancelled")
    else:
        yield Step(_with("study report", where), "tables, figures and a page")


def _retry(done: CommandResult) -> Iterator[Step]:
    yield Step(f"study status{_launchers('retry', done.words)[0]}", "how far they are")


def _logs(done: CommandResult) -> Iterator[Step]:
    yield Step(f"study retry{_launchers('logs', done.words)[0]}", "submits what failed, was lost or cancelled")


def _cancel(done: CommandResult) -> Iterator[Step]:
    yield Step(f"study retry{_launchers('cancel', done.words)[0]}", "submits them again; what was stored stays")


STEPS: Mapping[str, Callable[[CommandResult], Iterator[Step]]] = {
    "run": _run,
    "plan": _run,
    "fetch": _fetch,
    "list": _list,
    "report": _report,
    "import": _import,
    "push": _push,
    "pull": _pull,
    "open": _open,
    "serve": _serve,
    "status": _sweep,
    "wait": _sweep,
    "retry": _retry,
    "logs": _logs,
    "cancel": _cancel,
}
"""By command; `study prune` says itself how its model is studied, as its card does."""


def _analysis(command: str, words: Sequence[str]) -> Any:
    """The options of a command of the analysis."""
    from analysis.__main__ import parse  # loads polars, as the command has

    return parse([command, *words], "study")


def _folder(words: Sequence[str]) -> str:
    """The option that says where sweeps are kept, as it was given, with a blank before it."""
    from launchers.__main__ import parse
    from launchers.sweep.folder import SweepsFolder

    return SweepsFolder(parse(["status", *words], "study").folder).option()


def _launchers(command: str, words: Sequence[str]) -> tuple[str, Path]:
    """The sweep and its folder as arguments, with a blank before them; and the results folder of its jobs."""
    from launchers.__main__ import parse
    from launchers.errors import LauncherError
    from launchers.sweep.folder import SweepsFolder
    from sixteen_heads.sweep_results import sweep_results

    options = parse([command, *words], "study")
    folder = SweepsFolder(options.folder)
    where = Path(USUAL_RESULTS)
    with suppress(LauncherError, OSError, ValueError, KeyError):
        where = sweep_results(folder, folder.read_sweep(options.sweep))
    return (f" {shlex.quote(options.sweep)}" if options.sweep else "") + folder.option(), where
