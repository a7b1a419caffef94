"""Processes of the test cluster: started as children that die with their parent, stopped by process id."""

import os
import shutil
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import psutil

PATH = "/usr/sbin:/usr/bin:/sbin:/bin"
PATIENCE = 15.0
"""Seconds that a daemon has to end before it is killed."""


class ClusterError(Exception):
    """The cluster cannot be brought up; the message says why."""


class Daemon:
    """A program in the foreground, in a session of its own; its output goes to a file.

    Attributes:
        name: for messages.
        process: the child.
        log: file with what it says.
    """

    def __init__(self, name: str, command: Sequence[str], log: Path, environment: Mapping[str, str]) -> None:
        """Start it. Should this process be killed, the kernel ends the child as well."""
        self.name, self.log = name, log
        with log.open("ab") as output:
            self.process = subprocess.Popen(
                ["setpriv", "--pdeathsig", "KILL", *command],
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def wait_until(self, ready: Callable[[], bool], seconds: float = 30.0) -> None:
        """Wait until the daemon does its work.

        Raises:
            ClusterError: with the end of its log when it dies or is not ready in time.
        """
        deadline = time.monotonic() + seconds
        while not ready():
            died = self.process.poll() is not None
            if died or time.monotonic() > deadline:
                last = "\n".join(self.log.read_text(errors="replace").splitlines()[-15:])
                raise ClusterError(f"{self.name} {'ended' if died else f'is not ready after {seconds:.0f} s'}:\n{last}")
            time.sleep(0.1)

    def stop(self) -> None:
        """End it in good order; kill it when that takes too long."""
        self.process.terminate()
        try:
            self.process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self.kill()

    def kill(self) -> None:
        """End it at once, as a power cut would."""
        self.process.kill()
        self.process.wait()


def program(name: str) -> str:
    """Where a program is; daemons stand in folders that are not on every PATH.

    Raises:
        ClusterError: when it is not installed.
    """
    found = shutil.which(name, path=PATH)
    if found is None:
        raise ClusterError(
            f"{name} is not installed: `make slurm-packages` installs what SLURM needs, on Debian as root"
        )
    return found


def succeeds(*command: str, environment: Mapping[str, str] | None = None) -> bool:
    """Whether a command ends well within five seconds."""
    try:
        done = subprocess.run(command, env=environment, capture_output=True, timeout=5, check=False)
    except subprocess.TimeoutExpired:
        return False
    return done.returncode == 0


def processes_with(**variables: str) -> list[psutil.Process]:
    """Running processes whose environment has these values; not this one and those above it."""
    own = {os.getpid(), *(parent.pid for parent in psutil.Process().parents())}
    found = []
    for process in psutil.process_iter():
        try:
            environment = process.environ() if process.pid not in own else {}
        except psutil.Error:
            continue
        if all(environment.get(name) == value for name, value in variables.items()) and environment:
            found.append(process)
    return found
