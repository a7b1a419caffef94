"""The texts that sbatch gets, as pure functions of what is configured; submitit writes and quotes the parameters."""

import shlex
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from launchers.config import SlurmConfig
from launchers.sweep.submission import AFTER, Array, SubmissionFolder
from launchers.worker.element import BACK_TO_THE_QUEUE

WORKER_KILLED = "137|140|USR2"
"""Exit status of a worker that SIGKILL ended, or SIGUSR2 before it could take it, or the signal before it was there."""

GRACE_TIME = "143|TERM"
"""Exit status of a worker that SIGTERM ended.

The element stays until it is killed, as leaving within the grace time counts as a failure.
"""


@dataclass(frozen=True)
class Scripts:
    """Writes the scripts of a submission.

    Attributes:
        place: folder of the submission.
        settings: configuration of the launcher.
        folder: the working directory of the jobs.
        paths: where they find the program's modules.
    """

    place: SubmissionFolder
    settings: SlurmConfig
    folder: str
    paths: Sequence[str]

    def array(self, number: int, array: Array, *, parallel: int, after: Sequence[str] = ()) -> str:
        """The script of an array.

        Args:
            number: its place in the submission.
            array: its packs.
            parallel: most elements that run at the same time.
            after: numbers of SLURM jobs that must have ended before.
        """
        last = len(array.packs) - 1
        parameters = {
            **self.settings.resources(),
            "array": f"0-{last}" + (f"%{parallel}" if parallel <= last else ""),
            "output": _pattern(self.place.log(number, "%a")),
            "requeue": True,
            "signal": f"B:USR2@{self.settings.signal_delay_s}",
            **_dependency(after),
        }
        worker = self._python("launchers.worker.element", str(self.place.path), str(number))
        return self._text(number, parameters, [f"{worker} &", *_supervisor(self.settings.retries)])

    def after_last(self, after: Sequence[str]) -> str:
        """The script of the job after the last array: see `launchers.slurm.after`."""
        how = {"output": _pattern(self.place.log(AFTER, "")), "requeue": True, **_dependency(after)}
        command = self._python("launchers.slurm.after", str(self.place.path))
        return self._text(AFTER, {**self.settings.after_resources(), **how}, [command])

    def _text(self, array: int | str, parameters: Mapping[str, Any], command: Sequence[str]) -> str:
        from submitit.slurm.slurm import _make_sbatch_string  # takes as long to import as `status` takes without it

        given = {
            name.replace("_", "-"): value
            for name, value in parameters.items()
            if value is not False and value not in (None, "")
        }
        return _make_sbatch_string(
            command="\n".join(command),
            folder=self.place.path,
            job_name=self.place.job_name(array),
            time=given.pop("time"),
            wckey=None,  # pyright: ignore[reportArgumentType] what is None is left out
            setup=[*self._beginning(), *self.settings.setup, *self._python_check()],
            stderr_to_stdout=True,
            use_srun=False,
            additional_parameters={"chdir": self.folder, **given},
        )

    def _beginning(self) -> list[str]:
        """Take signals before anything else runs, note one before the worker is there, and set the jobs' variables."""
        path = ":".join(self.paths)
        return [
            "worker= early=",
            *(
                f'trap \'[ -n "$worker" ] && kill -{name} "$worker" || early={name}\' {name}'
                for name in ("USR2", "TERM")
            ),
            f'export PYTHONPATH={shlex.quote(path)}"${{PYTHONPATH:+:$PYTHONPATH}}"',
            *(f"export {name}={shlex.quote(str(value))}" for name, value in self.settings.environment.items()),
        ]

    def _python(self, module: str, *arguments: str) -> str:
        """The command that runs a module; `settings.python` may be one of several words."""
        return f"{self._interpreter()} {shlex.join(['-P', '-u', '-m', module, *arguments])}"

    def _interpreter(self) -> str:
        """As the shell takes it."""
        return self.settings.python or shlex.quote(sys.executable)

    def _python_check(self) -> list[str]:
        """Say at once, in words, that a node does not have the interpreter."""
        there = f'(set -- {self._interpreter()}; command -v "$1") > /dev/null'
        program = shlex.split(self._interpreter())[0]
        words = f"launchers: no {program} on this node; is the environment on a file system that all nodes see?"
        return [f"{there} || {{ echo {shlex.quote(words)} >&2; exit 127; }}"]


def _supervisor(retries: int) -> list[str]:
    """Wait for the worker, whatever signals come; when it asks for it or was killed, send it back to the queue."""
    return [
        "worker=$!",
        '[ -z "$early" ] || kill -KILL "$worker"',  # a shell that has just been forked may lose any other signal
        'wait "$worker"; status=$?',
        'while kill -0 "$worker" 2> /dev/null; do wait "$worker"; status=$?; done',
        'case "${early:-$status}" in',
        f"  {BACK_TO_THE_QUEUE}) ;;",
        f'  {WORKER_KILLED}) [ "${{SLURM_RESTART_COUNT:-0}}" -lt {retries} ] || exit "$status" ;;',
        f'  {GRACE_TIME}) sleep 600; exit "$status" ;;',
        '  *) exit "$status" ;;',
        "esac",
        'echo "exit status $status of the worker: back to the queue" >&2',
        'scontrol requeue "${SLURM_ARRAY_JOB_ID}_${SLURM_ARRAY_TASK_ID}" && sleep 600',
        'exit "$status"',
    ]


def _pattern(path: Path) -> str:
    """A path as sbatch takes it: a percent sign of ours is none of its patterns."""
    return str(path.parent).replace("%", "%%") + f"/{path.name}"


def _dependency(after: Sequence[str]) -> dict[str, str]:
    return {"dependency": f"afterany:{':'.join(after)}"} if after else {}
