"""`python -m launchers status|wait|logs|cancel|retry [SWEEP]`: what became of a sweep, and what to do about it."""

import argparse
import json
import logging
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.logging import RichHandler
from rich.text import Text

from launchers.cli.cancel import cancel_jobs
from launchers.cli.retry import retry_sweep
from launchers.cli.wait import wait_for, wait_for_after
from launchers.errors import LauncherError, SilentSlurmError
from launchers.queue.after_job import AfterJob, look_after
from launchers.queue.logs import last_lines, log_files
from launchers.queue.states import OPEN, State, look_or_recall
from launchers.queue.status import as_json, last_words, status_table
from launchers.sweep.folder import USUAL, JobEntry, SweepRecord, SweepsFolder

NOT_DONE = 1
USER_ERROR = 2
UNDER_WAY = 3
INTERRUPTED = 130


def main(arguments: Sequence[str] | None = None, prog: str = "python -m launchers") -> int:
    """Run a command.

    Args:
        arguments: the command line; None: that of this process.
        prog: what the user types before the command.

    Returns:
        0: all are done; 1: some failed, were lost or cancelled, or SLURM does not answer to what must be asked; 2: an
        error of the user's; 3: some are under way or were never handed out; 130: Ctrl-C.
    """
    handler = RichHandler(console=Console(stderr=True), show_time=False, show_path=False)
    logging.basicConfig(level=logging.INFO, format="%(message)s", handlers=[handler])
    options = parse(list(sys.argv[1:] if arguments is None else arguments), prog)
    folder = SweepsFolder(options.folder)
    try:
        return options.run(folder, folder.read_sweep(options.sweep), options)
    except LauncherError as error:
        print(f"launchers: {error}", file=sys.stderr)
        return NOT_DONE if isinstance(error, SilentSlurmError) else USER_ERROR
    except KeyboardInterrupt:
        return INTERRUPTED


def status(folder: SweepsFolder, sweep: SweepRecord, options: argparse.Namespace) -> int:
    """Show a sweep once."""
    states, silence = look_or_recall(folder, [job.id for job in sweep.jobs])
    found = {state.state for state in states.values()}
    after = None if found & OPEN or silence else look_after(folder, sweep)
    if options.json:
        print(json.dumps(as_json(sweep, states, after, silence)))
        return exit_status({*found, after.state} if after else found)
    console = Console()
    console.print(status_table(sweep, states))
    console.print(last_words(folder, sweep, states))
    if silence:
        console.print(Text(silence, style="yellow"))
    return _ended(found, after)


def wait(folder: SweepsFolder, sweep: SweepRecord, options: argparse.Namespace) -> int:  # noqa: ARG001 as all commands
    """Show a sweep until no job is queued or running; send again what is lost on the way."""
    states = wait_for(folder, sweep)
    Console().print(last_words(folder, sweep, states))
    return _ended({state.state for state in states.values()}, wait_for_after(folder, sweep))


def logs(folder: SweepsFolder, sweep: SweepRecord, options: argparse.Namespace) -> int:
    """Show what jobs printed: one of them whole, or the last lines of all that did something."""
    states, _ = look_or_recall(folder, [job.id for job in sweep.jobs])
    for job in _named(sweep.jobs, options.job):
        for path in log_files(folder, job.id, states[job.id]):
            print(f"{job.name} ({states[job.id].state}), {path}")
            text = path.read_text(errors="replace") if options.job else "\n".join(last_lines(path))
            print(text.rstrip() + "\n")
    return 0


def cancel(folder: SweepsFolder, sweep: SweepRecord, options: argparse.Namespace) -> int:
    """Take jobs back that wait or run; what they have stored stays."""
    with folder.locked():
        taken = cancel_jobs(folder, _named(sweep.jobs, options.job))
    print(f"{sweep.name}: {len(taken)} jobs cancelled")
    return 0


def retry(folder: SweepsFolder, sweep: SweepRecord, options: argparse.Namespace) -> int:  # noqa: ARG001 as all commands
    """Hand out again what failed, was lost or cancelled, or was never handed out."""
    os.chdir(sweep.folder)
    print(retry_sweep(folder, sweep))
    return 0


def exit_status(found: set[State]) -> int:
    """What the command's exit status says of a sweep whose jobs are in these states."""
    if found & {*OPEN, State.new}:
        return UNDER_WAY
    return 0 if found <= {State.done} else NOT_DONE


def _ended(found: set[State], after: AfterJob | None) -> int:
    """The exit status of a sweep all of whose jobs have ended; says what became of the analysis."""
    if after is None:
        return exit_status(found)
    console = Console(highlight=False)
    console.print(f"after the last job, SLURM {after.number}: {after.state}; {after.log}", markup=False)
    if after.state is not State.done and after.log.is_file():
        console.print("\n".join(f"  {line}" for line in last_lines(after.log)), markup=False)
    return exit_status({*found, after.state})


def _named(jobs: Sequence[JobEntry], name: str | None) -> list[JobEntry]:
    """The jobs of this name, or with this beginning of an id; without a name all.

    Raises:
        LauncherError: when there is none.
    """
    found = [job for job in jobs if not name or job.name == name or job.id.startswith(name)]
    if not found:
        raise LauncherError(f"no job '{name}'; there are {', '.join(job.name for job in jobs[:20])}")
    return found


def parse(arguments: Sequence[str], prog: str) -> argparse.Namespace:
    """The options of a command line; `prog` as for `main`."""
    parser = argparse.ArgumentParser(prog=prog, description=__doc__)
    commands = parser.add_subparsers(required=True)
    for run in (status, wait, logs, cancel, retry):
        command = commands.add_parser(run.__name__, help=run.__doc__, description=run.__doc__)
        command.set_defaults(run=run)
        command.add_argument("sweep", nargs="?", help="name of a sweep or the beginning of one; without it the latest")
        command.add_argument("--folder", type=Path, default=Path(USUAL), help=f"where sweeps are kept ({USUAL})")
        if run is status:
            command.add_argument("--json", action="store_true", help="for programs")
        if run in (logs, cancel):
            command.add_argument("--job", help="name of a job or the beginning of its id")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
