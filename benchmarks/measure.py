"""What measures: medians over rounds in which every way takes its turn, so that a drift of the machine cancels."""

import ctypes
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import psutil
import torch

from study.engine.memory import peak_memory


@dataclass(frozen=True)
class Way:
    """One way to do the work.

    Attributes:
        samples: each does it, or a part of it, and tells how many seconds that took.
        scale: parts that the work has.
    """

    samples: Sequence[Callable[[], float]]
    scale: float = 1.0


@dataclass(frozen=True)
class Measurement:
    """What was measured of a way.

    Attributes:
        seconds: seconds of the whole work, the median of the samples.
        fastest: seconds by the fastest sample.
        slowest: seconds by the slowest sample.
        memory: most that was taken for it, in bytes.
    """

    seconds: float
    fastest: float
    slowest: float
    memory: int


def repeated(work: Callable[[], object], repeats: int) -> Way:
    """A way that does all of the work every time."""
    return Way([clocked(work)] * repeats)


def processor_seconds() -> float:
    """Seconds that the threads of this process have computed: what else runs on the machine counts less."""
    return time.process_time()


def clocked(work: Callable[[], object], clock: Callable[[], float] = time.perf_counter) -> Callable[[], float]:
    """The work as something that tells its seconds by a clock."""

    def sample() -> float:
        _wait_for_gpu()
        start = clock()
        work()
        _wait_for_gpu()
        return clock() - start

    return sample


def in_turns(ways: dict[str, Way], rounds: int) -> dict[str, Measurement]:
    """Time ways against each other: A B A B ...

    Args:
        ways: by name; their samples are spread over the rounds. What should be warm has been warmed up.
        rounds: how often each takes its turn.
    """
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    memory = dict.fromkeys(ways, 0)
    for turn in range(rounds):
        for name, way in ways.items():
            with more_memory() as peak:
                seconds[name] += [sample() for sample in way.samples[turn::rounds]]
            memory[name] = max(memory[name], peak())
    return {name: _timed(np.array(seconds[name]) * way.scale, memory[name]) for name, way in ways.items()}


def _timed(seconds: np.ndarray, memory: int) -> Measurement:
    return Measurement(float(np.median(seconds)), float(seconds.min()), float(seconds.max()), memory)


@contextmanager
def more_memory() -> Iterator[Callable[[], int]]:
    """Gives a function that tells, after the block, how many bytes more were taken at its height than before it."""
    if not torch.cuda.is_available():
        _return_free_memory()
    before = torch.cuda.memory_allocated() if torch.cuda.is_available() else psutil.Process().memory_info().rss
    with peak_memory(torch.device("cuda" if torch.cuda.is_available() else "cpu")) as peak:
        yield lambda: peak() - before


def fastest(ways: dict[int, Callable[[], object]]) -> int:
    """A short scan: the number, a batch size, at which work is done fastest."""
    times = {number: clocked(work)() for number, work in ways.items()}
    return min(times, key=times.__getitem__)


def _return_free_memory() -> None:
    """What earlier work has freed, so that it counts again when it is taken again; where the C library can."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)


def _wait_for_gpu() -> None:
    if torch.cuda.is_available():
        torch.cuda.synchronize()
