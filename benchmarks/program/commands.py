"""What a user waits for who computes nothing: processor seconds of commands, against those of importing torch."""

import os
import resource
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.measure import Way, clocked, in_turns
from benchmarks.sizes import Sizes
from benchmarks.table import Row

ROOT = Path(__file__).parents[2]

WAITED_FOR = {
    "study --help": 0,
    "study with a misspelt model": 1,
    "study with a misspelt option": 1,
    "study list reuse": 0,
    "study list": 0,
    "analysis --help": 0,
}
"""Commands by what they are called in the table, with the exit status that each should have."""

ARGUMENTS = {
    "study with a misspelt model": "study model=toy_clasifier data=toy_matched",
    "study with a misspelt option": "study model=toy_classifier data=toy_matched modle.epoch=3",
}
"""What is typed, where that is not the name."""


def commands(sizes: Sizes) -> Iterator[Row]:
    """Each command in a process of its own, in turns with one that imports torch; the shortest table takes two."""
    with TemporaryDirectory() as place:
        folder = Path(place)
        names = list(WAITED_FOR)[: 2 * sizes.repeats]
        ways = {name: _way(["-m", *ARGUMENTS.get(name, name).split()], WAITED_FOR[name], folder) for name in names}
        ways["torch"] = _way(["-c", "import torch"], 0, folder)
        for way in ways.values():
            next(iter(way.samples))()  # files are read and compiled once
        timed = in_turns({name: Way(list(way.samples) * sizes.repeats) for name, way in ways.items()}, sizes.repeats)
    for name in names:
        yield Row(
            part="commands",
            work=f"{name}; processor seconds",
            against="python -c 'import torch'",
            ours=timed[name].seconds,
            theirs=timed["torch"].seconds,
        )


def _way(arguments: list[str], status: int, folder: Path) -> Way:
    def run() -> None:
        path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
        done = subprocess.run(
            [sys.executable, *arguments],
            cwd=folder,
            env={**os.environ, "PYTHONPATH": path},
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode != status:
            raise RuntimeError(f"{' '.join(arguments)}: {done.stderr or done.stdout}")

    return Way([clocked(run, _children_seconds)])


def _children_seconds() -> float:
    """Processor seconds of the processes that this one has started and that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
