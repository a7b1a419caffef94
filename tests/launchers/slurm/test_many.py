"""Very many jobs, handed to a SLURM that only keeps books: nobody waits long, and SLURM is asked once for all."""

import json
import os
import resource
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from fixtures.fake_slurm import FakeSlurm

from launchers.sweep.attempt import Attempt, Outcome
from launchers.sweep.folder import SweepsFolder

PROGRAM = Path(__file__).parents[2] / "slurm" / "program"
START = 10.0
"""Seconds of processor time for imports, on a slow machine."""


class Place:
    """The program, in a folder of its own, that submits to a fake SLURM."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.slurm = folder / "app", FakeSlurm(folder / "slurm")
        shutil.copytree(PROGRAM, self.folder)

    def run(self, *arguments: str) -> tuple[str, float]:
        """What a command prints, and the seconds of processor time that it took (the machine may be busy)."""
        before = _processor_seconds()
        done = subprocess.run(
            [sys.executable, *arguments],
            cwd=self.folder,
            env={**os.environ, "PATH": f"{self.slurm.bin}:{os.environ['PATH']}"},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode in {0, 3}, done.stderr
        return done.stdout, _processor_seconds() - before


@pytest.mark.parametrize("jobs", [400, pytest.param(10_000, marks=pytest.mark.exhaustive)])
def test_many_jobs(tmp_path: Path, jobs: int) -> None:
    place = Place(tmp_path)
    sweep = ("app.py", f"name=range({jobs})", "hydra.launcher.max_array=300")
    _, seconds = place.run(*sweep)
    assert seconds < START + 60 * jobs / 10_000
    full, rest = divmod(jobs, 300)
    assert list(place.slurm.arrays().values()) == [300] * full + [rest]

    place.run(*sweep)
    assert len(place.slurm.arrays()) == full + 1, "what waits is not sent again"

    folder = SweepsFolder(place.folder / "sweeps")
    for job in folder.read_sweep().jobs[: jobs // 2]:
        at = folder.job(job.id)
        replace(Attempt.begin("x", "0_0", 0), ended=0.0, state=Outcome.DONE).write(at.new_attempt())
    place.slurm.run(100)
    asked = place.slurm.asked()
    said, seconds = place.run("-m", "launchers", "status", "--json")
    assert json.loads(said)["counts"]["done"] == jobs // 2
    assert place.slurm.asked() == asked + 1
    assert seconds < START / 4 + 2 * jobs / 10_000


def _processor_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
