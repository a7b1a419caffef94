"""Sweeps of a small task, written down as launchers write them, and a SLURM that keeps its books in this process."""

import os
import re
import signal
import sys
import time
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from hydra import compose, initialize_config_dir
from omegaconf import DictConfig, open_dict

from launchers.config import SlurmConfig
from launchers.errors import LauncherError, SilentSlurmError
from launchers.queue.commands import Element, Queue
from launchers.sweep.attempt import Attempt, Outcome
from launchers.sweep.composed import types_of, values_of
from launchers.sweep.folder import JobEntry, JobFolder, SweepRecord, SweepsFolder


def task(config: DictConfig) -> dict[str, Any]:
    """Note the start, do what the config says, return where it ran."""
    note = Path(config.folder) / config.name
    starts = len(note.read_text().split()) if note.exists() else 0
    with note.open("a") as file:
        file.write(f"{os.getpid()} ")
    match config.does if starts < config.times else "nothing":
        case "raise":
            raise RuntimeError("broke on the way")
        case "segfault":
            os.kill(os.getpid(), signal.SIGSEGV)
        case "die":
            os.kill(os.getpid(), signal.SIGKILL)
        case "sleep":
            try:
                time.sleep(30)
            finally:
                (note.with_suffix(".stored")).touch()
        case "leave":
            try:
                time.sleep(30)
            finally:
                os._exit(3)
    return {name: os.environ.get(name) for name in ("CUDA_VISIBLE_DEVICES", "OMP_NUM_THREADS")}


def composed(folder: Path) -> DictConfig:
    """The config of a job as Hydra composes it."""
    (folder / "config.yaml").write_text(f"name: a\nfolder: {folder}\ndoes: nothing\ntimes: 1\n")
    with initialize_config_dir(str(folder), version_base="1.3"):
        config = compose("config", overrides=[f"hydra.sweep.dir={folder}/out"], return_hydra_config=True)
    with open_dict(config):
        config.hydra.job.num, config.hydra.job.id, config.hydra.job.name = 0, "0", "small"
        config.hydra.sweep.subdir = "${name}"
    return config


@dataclass
class Made:
    """A folder of sweeps with jobs in it."""

    path: Path
    config: DictConfig
    sweeps: SweepsFolder = field(init=False)

    def __post_init__(self) -> None:
        self.sweeps = SweepsFolder(self.path / "sweeps")
        self._values, self._types = values_of(self.config), types_of(self.config)

    def job(self, name: str, does: str = "nothing", times: int = 1) -> JobFolder:
        """Write down a job; its id is its name."""
        values = {**self._values, "name": name, "does": does, "times": times}
        record = {"task": "made_sweep:task", "name": name, "stage": 0, "config": values, "types": self._types}
        self.sweeps.write_job(name, record)
        return self.sweeps.job(name)

    def sweep(self, *stages: str, **settings: Any) -> SweepRecord:
        """Write down a sweep: `sweep("ab", "c")` has jobs a and b, and c in the stage after."""
        jobs = tuple(JobEntry(name, f"name={name}", stage) for stage, names in enumerate(stages) for name in names)
        for job in jobs:
            self.job(job.id)
        how = asdict(SlurmConfig(folder=str(self.sweeps.path), **settings))
        sweep = SweepRecord("small", ["app.py"], jobs, "slurm", how, str(self.path), [str(Path(__file__).parent)])
        self.sweeps.write_sweep(sweep)
        return sweep

    def starts(self, name: str) -> int:
        """How often a job began."""
        note = self.path / name
        return len(note.read_text().split()) if note.exists() else 0

    def attempt(self, name: str, state: Outcome, submission: str = "", **more: Any) -> None:
        """Note an attempt of a job."""
        folder = self.sweeps.job(name)
        Attempt(state, submission, started=1.0, **more).write(folder.new_attempt())


class Books:
    """SLURM as `launchers.queue.commands` sees it: what is sent waits until a test says what becomes of it.

    Attributes:
        scripts: texts that were sent, by number.
        elements: state of each element that SLURM still knows.
        cancelled: what was cancelled.
        looks: how often the queue was asked.
        silent: whether the controller is down.
    """

    def __init__(self) -> None:
        self.scripts: dict[str, str] = {}
        self.names: dict[str, str] = {}
        self.elements: dict[str, str] = {}
        self.accounted: dict[str, str] = {}
        self.cancelled: list[str] = []
        self.looks = 0
        self.silent = False
        self.die_before: int | None = None
        self.die_after: int | None = None

    def submit(self, script: Path, name: str) -> str:
        number = str(100 + len(self.scripts))
        if self.die_before == len(self.scripts):
            raise KeyboardInterrupt
        text = script.read_text()
        self.scripts[number] = text
        array = re.search(r"--array=0-(\d+)", text)
        assert f"--job-name={name}\n" in text
        self.names[name] = number
        for element in range(int(array[1]) + 1) if array else [None]:
            self.elements[number if element is None else f"{number}_{element}"] = "PENDING"
        if self.die_after == len(self.scripts):
            raise KeyboardInterrupt
        return number

    def queue(self, names: Iterable[str], *, at_once: bool = False) -> Queue:
        self.looks += 1
        if self.silent:
            raise SilentSlurmError("SLURM does not answer `squeue`: Unable to contact slurm controller")
        numbers = {name: self.names[name] for name in names if name in self.names}
        known = {number: state for number, state in self.elements.items() if number.split("_")[0] in numbers.values()}
        return Queue({number: Element(state) for number, state in known.items()}, numbers)

    def accounting(self, numbers: Any) -> dict[str, Element]:
        list(numbers)
        return {number: Element(state) for number, state in self.accounted.items()}

    def cancel(self, numbers: list[str]) -> None:
        self.cancelled += numbers
        for number in numbers:
            self.elements[number] = "CANCELLED"

    def max_array_size(self) -> int:
        return 1000

    def all(self, state: str) -> None:
        """Every element is in this state now."""
        self.elements = dict.fromkeys(self.elements, state)

    def broken(self, names: Iterable[str], *, at_once: bool = False) -> Queue:
        raise LauncherError("squeue is not there")


PYTHONPATH = os.pathsep.join([str(Path(__file__).parent), *filter(None, sys.path)])
