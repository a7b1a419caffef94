"""`python -m launchers status|wait|logs|cancel|retry [SWEEP]`: what became of a sweep, and what to do about it."""

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from rich.console import Console

from launchers.errors import LauncherError
from launchers.folder import SweepRecord, SweepsFolder
from launchers.states import OPEN, JobState, State, look
from launchers.status import counts, last_words, status_table

NOT_DONE = 1
USER_ERROR = 2
UNDER_WAY = 3
INTERRUPTED = 130


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command.

    Returns:
        0 all jobs done, 1 some failed, were lost or cancelled, 2 an error of the user's, 3 some are under way,
        130 Ctrl-C.
    """
    options = _parse(list(sys.argv[1:] if arguments is None else arguments))
    try:
        return options.run(options)
    except LauncherError as error:
        print(f"launchers: {error}", file=sys.stderr)
        return USER_ERROR
    except KeyboardInterrupt:
        return INTERRUPTED


def status(options: argparse.Namespace) -> int:
    """Show a sweep once."""
    folder = SweepsFolder(options.folder)
    sweep = folder.read_sweep(options.sweep)
    states = look(folder, [job.id for job in sweep.jobs])
    if options.json:
        print(json.dumps(as_json(sweep, states)))
    else:
        console = Console()
        console.print(status_table(sweep, states))
        console.print(last_words(folder, sweep, states))
    return exit_status(states)


def as_json(sweep: SweepRecord, states: Mapping[str, JobState]) -> dict[str, object]:
    """A sweep for programs."""
    return {
        "sweep": sweep.name,
        "counts": {state.value: counts(states)[state] for state in State},
        "jobs": [
            {
                "id": job.id,
                "name": job.name,
                "stage": job.stage,
                "state": states[job.id].state.value,
                "error": states[job.id].error,
                "element": holder.name if (holder := states[job.id].holder) else None,
                "attempts": states[job.id].attempts,
                "seconds": attempt.ended - attempt.started
                if (attempt := states[job.id].attempt) and attempt.ended
                else None,
            }
            for job in sweep.jobs
        ],
    }


def exit_status(states: Mapping[str, JobState]) -> int:
    """What the command's exit status says of a sweep."""
    found = set(counts(states))
    if found & OPEN or State.new in found:
        return UNDER_WAY
    return 0 if found <= {State.done} else NOT_DONE


def _parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="launchers", description=__doc__)
    commands = parser.add_subparsers(required=True)
    for run in (status,):
        command = commands.add_parser(run.__name__, help=run.__doc__)
        command.set_defaults(run=run)
        command.add_argument("sweep", nargs="?", help="name of a sweep, or the beginning of one; the latest")
        command.add_argument("--folder", type=Path, default=Path("sweeps"), help="where sweeps are kept")
        if run is status:
            command.add_argument("--json", action="store_true", help="for programs")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
