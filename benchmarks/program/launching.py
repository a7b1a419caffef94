"""What a sweep costs beside the work of its jobs: starting each of them, packed and not, and handing out very many."""

import importlib.util
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.measure import in_turns, repeated
from benchmarks.sizes import Sizes
from benchmarks.table import Row
from tests.fixtures.fake_slurm import FakeSlurm

PROGRAM = Path(__file__).parents[2] / "tests" / "slurm" / "program"
SUBMIT, STATUS = 60.0, 2.0
"""Most seconds that handing out very many jobs and looking at them should take."""


def launching(sizes: Sizes) -> Iterator[Row]:
    """Jobs that do nothing, from the command to the end of the last one: on SLURM where there is one, else here."""
    with TemporaryDirectory() as folder:
        yield from _started(sizes, Path(folder), on_slurm=_has_slurm())
        yield _very_many(sizes, Path(folder) / "many")


def _started(sizes: Sizes, folder: Path, *, on_slurm: bool) -> Iterator[Row]:
    """Starting jobs, ours and theirs in turns."""
    ours = (
        {"one by one": ("pack=1",), "packed": ("pack=12", "at_once=2")}
        if on_slurm
        else {"two at a time": ("processes=2",)}
    )
    launcher, where = ("slurm", "on SLURM") if on_slurm else ("local_pool", "on this machine")
    ways = {
        name: repeated(lambda name=name, options=options: _sweep(folder, name, sizes, launcher, options), sizes.repeats)
        for name, options in ours.items()
    }
    installed = importlib.util.find_spec("hydra_plugins.hydra_submitit_launcher") is not None
    if installed:
        other = "submitit_slurm" if on_slurm else "submitit_local"
        ways["theirs"] = repeated(lambda: _sweep(folder, "theirs", sizes, other, ("timeout_min=5",)), sizes.repeats)
    timed = in_turns(ways, sizes.repeats)
    for name in ours:
        yield Row(
            part="launching",
            work=f"{sizes.launched} jobs that do nothing, {where}, {name}",
            against="hydra-submitit-launcher" if installed else "",
            ours=timed[name].seconds,
            theirs=timed["theirs"].seconds if installed else None,
            note=f"{timed[name].seconds / sizes.launched:.2g} s a job"
            + ("" if installed else "; hydra-submitit-launcher is not installed (`pip install -e '.[bench]'`)"),
        )


def _very_many(sizes: Sizes, folder: Path) -> Row:
    """Handing out jobs to a SLURM that only keeps books, and looking at them."""
    fake = FakeSlurm(folder)
    path = {"PATH": f"{fake.bin}{os.pathsep}{os.environ['PATH']}"}
    submitted = _timed(folder, ["app.py", f"name=range({sizes.very_many})", "hydra/launcher=slurm"], path)
    fake.run(sizes.very_many // 10)
    looked = min(_timed(folder, ["-m", "launchers", "status"], path) for _ in range(2))
    assert sum(fake.arrays().values()) == sizes.very_many
    return Row(
        part="launching",
        work=f"{sizes.very_many:,} jobs handed to a SLURM that only keeps books",
        ours=submitted,
        note=f"at most {SUBMIT:.0f} s; `status` took {looked:.2g} s, at most {STATUS:.0f} s",
    )


def _sweep(folder: Path, name: str, sizes: Sizes, launcher: str, options: Sequence[str]) -> None:
    """Run a sweep that nobody ran before, until its last job has ended."""
    place = folder / f"{name}-{time.monotonic_ns()}"
    settings = [f"hydra.launcher.{option}" for option in options]
    _timed(place, ["app.py", f"name=range({sizes.launched})", "size=1", f"hydra/launcher={launcher}", *settings])
    if launcher == "slurm":
        _timed(place, ["-m", "launchers", "wait"])
    done = len(list(place.glob("results/*/0")))
    assert done == sizes.launched, f"{done} of {sizes.launched} jobs of {launcher} are done"


def _timed(folder: Path, arguments: Sequence[str], variables: Mapping[str, str] | None = None) -> float:
    """Seconds of a command of this Python in a folder that has the program."""
    shutil.copytree(PROGRAM, folder, dirs_exist_ok=True)
    start = time.perf_counter()
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=folder,
        env={**os.environ, **(variables or {})},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode not in {0, 3}:
        raise RuntimeError(f"{' '.join(arguments)}: {done.stderr or done.stdout}")
    return time.perf_counter() - start


def _has_slurm() -> bool:
    """Whether a SLURM takes jobs here."""
    if shutil.which("sinfo") is None:
        return False
    asked = subprocess.run(["sinfo", "--noheader"], capture_output=True, timeout=20, check=False)
    return asked.returncode == 0 and bool(asked.stdout.strip())
