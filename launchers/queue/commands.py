"""SLURM's own commands, each called once for all jobs; the only file that starts them from a submitting machine."""

import logging
import os
import re
import shlex
import subprocess
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from launchers.errors import LauncherError, SilentSlurmError

log = logging.getLogger(__name__)

FINAL = {
    "BOOT_FAIL",
    "CANCELLED",
    "COMPLETED",
    "DEADLINE",
    "FAILED",
    "NODE_FAIL",
    "OUT_OF_MEMORY",
    "PREEMPTED",
    "TIMEOUT",
}
"""States that may be the last one; a requeue passes through some of them, too."""

TRIES = 4
SECONDS_FOR_AN_ANSWER = 120.0
SECONDS_AT_ONCE = 5.0
USER_VARIABLES = {"SLURM_CONF", "SLURM_CLUSTERS", "SLURM_JWT"}
"""Variables of SLURM that say which one is meant, and who asks: those of a job around this one are not passed on."""

BUSY = ("timed out", "temporarily", "Unable to contact", "connect failure", "try again")
"""What SLURM says when the controller is busy: asked again after a while."""


@dataclass(frozen=True)
class Element:
    """What SLURM says of an element of an array.

    Attributes:
        state: as SLURM names it: PENDING, RUNNING, TIMEOUT ...
        reason: why it waits.
    """

    state: str
    reason: str = ""

    @property
    def ended(self) -> bool:
        """Whether its state may be the last one."""
        return self.state in FINAL


@dataclass(frozen=True)
class Queue:
    """What SLURM knows of some jobs.

    Attributes:
        elements: by number: `123_4`, or `123` for a job that is no array.
        names: number of the array or job by its name.
    """

    elements: dict[str, Element]
    names: dict[str, str]


def submit(script: Path, name: str) -> str:
    """Hand a script to sbatch.

    Args:
        script: its path.
        name: a name that no other job has: SLURM may take the script and not be able to say so.

    Returns:
        The number that SLURM gives it.

    Raises:
        LauncherError: with what sbatch says.
    """
    # On the command line what is configured stands above SBATCH_PARTITION and the like; in the script it stands below.
    options = [word for line in script.read_text(encoding="utf-8").splitlines() for word in _options(line)]
    done = _run(["sbatch", "--parsable", *options, str(script)], taken=lambda: queue([name]).names.get(name))
    number = done.strip().splitlines()[-1].partition(";")[0] if done.strip() else ""
    if not number.isdigit():
        raise LauncherError(f"sbatch gave no job number but '{done.strip()}'")
    return number


def queue(names: Iterable[str], *, at_once: bool = False) -> Queue:
    """The jobs of these names that SLURM's controller still knows, those that ended a while ago among them.

    They are asked for by name, not by user: several people may share a folder of sweeps.

    Args:
        names: names of arrays and jobs, see `SubmissionFolder.job_name`.
        at_once: wait a few seconds for an answer at the most, and ask once.

    Raises:
        SilentSlurmError: when the controller does not answer.
        LauncherError: when it cannot be asked.
    """
    wanted = ",".join(sorted(set(names)))
    command = ["squeue", "--noheader", "--array", "--states=all", f"--name={wanted}", "--format=%i|%T|%r|%j"]
    listed = _run(command, tries=1, seconds=SECONDS_AT_ONCE) if at_once else _run(command)
    elements, numbers = {}, {}
    for line in listed.splitlines():
        number, state, reason, name = line.strip().split("|", maxsplit=3)
        elements[number] = Element(state, reason)
        numbers[name] = number.partition("_")[0]
    return Queue(elements, numbers)


def accounting(numbers: Iterable[str]) -> dict[str, Element]:
    """What the accounting says of arrays that the controller does not know any more; empty where there is none."""
    wanted = sorted(set(numbers))
    if not wanted:
        return {}
    fields = ["--noheader", "--parsable2", "--allocations", "--format=JobID,State"]
    try:
        listed = _run(["sacct", *fields, f"--jobs={','.join(wanted)}"])
    except LauncherError as error:
        log.debug("no accounting: %s", error)
        return {}
    rows = (line.split("|") for line in listed.splitlines() if "|" in line)
    return {number: Element(state.split()[0]) for number, state in rows if state}


def cancel(numbers: Sequence[str]) -> None:
    """Cancel elements, arrays or jobs."""
    for start in range(0, len(numbers), 500):
        _run(["scancel", *numbers[start : start + 500]])


def max_array_size() -> int:
    """How many elements an array may have; SLURM's default where it does not say."""
    found = re.search(r"MaxArraySize\s*=\s*(\d+)", _run(["scontrol", "show", "config"]))
    return max(1, int(found[1]) - 1) if found else 1000


def _run(
    command: Sequence[str],
    *,
    taken: Callable[[], str | None] = lambda: None,
    tries: int = TRIES,
    seconds: float = SECONDS_FOR_AN_ANSWER,
) -> str:
    """What a command prints; tried again, later and later, while the controller is busy.

    Args:
        command: a command of SLURM.
        taken: asked before another try: what the command would have printed, where the one before was heard after all.
        tries: how often it is asked.
        seconds: how long each try waits for its answer.
    """
    environment = os.environ
    if "SLURM_JOB_ID" in environment:
        environment = {name: value for name, value in environment.items() if not _set_by_slurm(name)}
    said = ""
    for wait in range(tries):
        if wait and (found := taken()):
            return found
        try:
            done = subprocess.run(
                command, capture_output=True, text=True, check=False, timeout=seconds, env=environment
            )
        except FileNotFoundError as error:
            raise LauncherError(f"no `{command[0]}` here: hydra/launcher=slurm needs a machine that submits") from error
        except subprocess.TimeoutExpired:
            said = f"no answer in {seconds:.0f} s"
            continue
        if done.returncode == 0:
            return done.stdout
        said = done.stderr.strip() or done.stdout.strip()
        if not any(words.lower() in said.lower() for words in BUSY):
            raise LauncherError(f"`{command[0]}` failed: {said}")
        if wait + 1 < tries:
            time.sleep(2.0**wait)
    raise SilentSlurmError(f"SLURM does not answer `{command[0]}`: {said}")


def _set_by_slurm(name: str) -> bool:
    """Whether SLURM sets a variable in its jobs, not a user: the jobs that one of them sends would inherit it."""
    bound = name.startswith("SBATCH_") and "_BIND" in name
    return bound or (name.startswith(("SLURM_", "SLURMD_")) and name not in USER_VARIABLES)


def _options(line: str) -> list[str]:
    """What a line of a script says to sbatch."""
    return shlex.split(line.removeprefix("#SBATCH ")) if line.startswith("#SBATCH ") else []
