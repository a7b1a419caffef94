"""A small Hydra program: it computes numbers, stores each on its own, and breaks where it is told to.

What it has stored is skipped, as in the study. `computed.txt` has a line for every number that was computed, so that a
test sees what was done twice.
"""

import ctypes
import hashlib
import os
import time
from pathlib import Path

import hydra
from omegaconf import DictConfig

from study.record.files import whole_file


class Numbers:
    """The task: numbers from 0 to `size`, each in a file of its own."""

    def __call__(self, config: DictConfig) -> dict[str, int]:
        folder = Path(config.results) / str(config.name)
        folder.mkdir(parents=True, exist_ok=True)
        computed = 0
        for number in self.left(config):
            if number == config.at:
                break_down(config, folder)
            time.sleep(config.seconds)
            with whole_file(folder / str(number)) as draft:
                draft.write_text(value(config.name, number))
            with (folder / "computed.txt").open("a") as file:
                file.write(f"{number} {os.environ.get('CUDA_VISIBLE_DEVICES', '-')} {os.getpid()}\n")
            computed += 1
        return {"computed": computed}

    def check(self, config: DictConfig) -> None:
        if config.size < 0:
            raise ValueError(f"size {config.size}: must not be negative")

    def rehearse(self, config: DictConfig) -> None:
        pass

    def missing(self, config: DictConfig) -> list[str]:
        return []

    def prepare(self, config: DictConfig) -> None:
        pass

    def remaining(self, config: DictConfig) -> int:
        return len(self.left(config))

    def estimate(self, config: DictConfig) -> float | None:
        return config.seconds * len(self.left(config))

    def stage(self, config: DictConfig) -> int:
        return config.stage

    def left(self, config: DictConfig) -> list[int]:
        return [
            number
            for number in range(config.size)
            if not (Path(config.results) / str(config.name) / str(number)).exists()
        ]


def plain(config: DictConfig) -> dict[str, int]:
    """The same without the task protocol."""
    return Numbers()(config)


def value(name: str, number: int) -> str:
    return hashlib.sha256(f"{name} {number}".encode()).hexdigest()


def break_down(config: DictConfig, folder: Path) -> None:
    """In the way that the config says; with `once`, only the first time that the job comes here."""
    if config.once:
        try:
            (folder / "broke").touch(exist_ok=False)
        except FileExistsError:
            return
    match config.breaks:
        case "raises":
            raise RuntimeError("broke on the way")
        case "segfaults":
            ctypes.string_at(0)
        case "eats":  # memory, until SLURM ends it
            eaten = []
            for _ in range(200):
                eaten.append(bytearray(20 << 20))
                time.sleep(0.05)
        case "hangs":
            time.sleep(600)


if __name__ == "__main__":
    task = plain if os.environ.get("PLAIN") else Numbers()
    hydra.main(config_path="conf", config_name="config", version_base="1.3")(task)()
