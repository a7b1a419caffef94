"""Sweeps of the program in `program/`, submitted as a user does, and what they left on disk."""

import json
import shutil
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from cluster import Cluster

PROGRAM = Path(__file__).parent / "program"
NOT_DONE, USER_ERROR, UNFINISHED = 1, 2, 3
"""Exit status of `python -m launchers status`."""


@dataclass(frozen=True)
class Place:
    """A folder with a copy of the program, its results and its sweeps.

    Attributes:
        folder: where commands are given.
        cluster: where they reach.
    """

    folder: Path
    cluster: Cluster

    def __post_init__(self) -> None:
        shutil.copytree(PROGRAM, self.folder, dirs_exist_ok=True)

    def submit(self, *overrides: str, plain: bool = False) -> subprocess.CompletedProcess[str]:
        """Give the program's command."""
        return self.run("app.py", *overrides, **({"PLAIN": "1"} if plain else {}))

    def launchers(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """`python -m launchers ...`."""
        return self.run("-m", "launchers", *arguments)

    def run(self, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
        """A command of this Python."""
        return subprocess.run(
            [sys.executable, *arguments],
            cwd=self.folder,
            env={**self.cluster.environment, "COLUMNS": "200", "HYDRA_FULL_ERROR": "1", **variables},
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )

    def status(self) -> dict[str, Any]:
        """Of the last sweep."""
        return json.loads(self.launchers("status", "--json").stdout)

    def states(self) -> dict[str, str]:
        """Of its jobs, by their names."""
        return {job["name"]: job["state"] for job in self.status()["jobs"]}

    def where(self, name: str = "") -> str:
        """SLURM's number of the element that has a job (`12_3`), by the end of the job's name."""
        return next(job["element"] for job in self.status()["jobs"] if job["name"].endswith(name))

    def wait(self) -> int:
        """Until no job is queued or running; the exit status says whether all are done."""
        done = self.launchers("wait")
        assert done.returncode in {0, NOT_DONE}, done.stdout + done.stderr
        return done.returncode

    def stored(self, results: str = "results") -> dict[str, str]:
        """What the jobs stored, by job and number."""
        files = (self.folder / results).glob("*/*")
        return {f"{file.parent.name}/{file.name}": file.read_text() for file in files if file.name.isdigit()}

    def computed(self, results: str = "results") -> Counter[str]:
        """How often each number was computed."""
        notes = (self.folder / results).glob("*/computed.txt")
        return Counter(
            f"{note.parent.name}/{line.split()[0]}" for note in notes for line in note.read_text().splitlines()
        )

    def arrays(self) -> list[str]:
        """SLURM's numbers of all arrays that were sent."""
        ids = sorted((self.folder / "sweeps" / "submissions").glob("*/array-*.id"))
        return [file.read_text().strip() for file in ids]

    def accounted(self) -> list[str]:
        """How the elements of all arrays ended."""
        return self.cluster.accounted(self.arrays())

    def undisturbed(self, *overrides: str) -> dict[str, str]:
        """What these jobs store where nothing breaks, by job and number: it follows from their names and size alone."""
        values = dict(override.split("=", 1) for override in overrides)
        numbers = range(int(values.get("size", 3)))
        return {
            f"{name}/{number}": sha256(f"{name} {number}".encode()).hexdigest()
            for name in values["name"].split(",")
            for number in numbers
        }


def wait_until(reached: Callable[[], object], what: str = "it", seconds: float = 300.0) -> None:
    """Look again and again until something is so; a test that waits too long fails."""
    deadline = time.monotonic() + seconds
    while not reached():
        assert time.monotonic() < deadline, f"{what} was not reached in {seconds:.0f} s"
        time.sleep(0.2)
