"""Memory: how many tokens a block may hold and a product may take. It changes speed, no outcome."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import psutil
import torch

SHARE = 0.25
"""Share of the free memory that an engine takes: other jobs are on the machine too, and what is counted is not all."""

CPU_PRODUCT, GPU_PRODUCT = 1024, 32768
"""Tokens of a matrix product: what stays in the caches of a CPU, and what fills a GPU."""

CPU_WORKERS = 8
"""Most blocks at a time on a CPU: Python hands out the work to all of them in turn."""

CPU_TOKENS = 2**15
"""Most tokens of a block on a CPU: more gains nothing there, and less is lost when a job is killed."""


SECONDS_BETWEEN_LOOKS = 0.005
"""Between two looks at the memory of this process."""


@dataclass(frozen=True)
class MemoryBudget:
    """What one block may take.

    Attributes:
        product_tokens: tokens of one matrix product.
        memory: bytes of a block.
        most_tokens: tokens of a block, whatever the memory.
        workers: blocks computed at a time.
    """

    product_tokens: int
    memory: int
    most_tokens: int
    workers: int = 1

    def tokens(self, bytes_per_token: int) -> int:
        """Tokens of a block, of which each takes so many bytes."""
        return max(1, min(self.memory // bytes_per_token, self.most_tokens))

    @classmethod
    def on(cls, device: torch.device, *, batch_tokens: int = 0, memory_gb: float = 0.0) -> "MemoryBudget":
        """The budget on a device.

        Args:
            device: where the model is.
            batch_tokens: tokens of a product; chosen by the device when 0.
            memory_gb: memory of all blocks computed at a time; a quarter of what is free when 0.
        """
        free = torch.cuda.mem_get_info(device)[0] if device.type == "cuda" else psutil.virtual_memory().available
        memory = int(memory_gb * 2**30) or int(free * SHARE)
        if device.type != "cpu":
            return cls(batch_tokens or GPU_PRODUCT, memory, most_tokens=2**31)
        workers = cpu_workers()
        return cls(batch_tokens or CPU_PRODUCT, memory // workers, CPU_TOKENS, workers)


def cpu_workers() -> int:
    """Blocks computed at a time on a CPU, each on its share of the threads."""
    return min(torch.get_num_threads(), CPU_WORKERS)


@contextmanager
def peak_memory(device: torch.device) -> Iterator[Callable[[], int]]:
    """Gives a function that tells, after the block, how many bytes were taken at its height.

    The model and all else count.

    Args:
        device: where the work is done: a GPU, of which the memory is told, or else this process.
    """
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
        yield lambda: torch.cuda.max_memory_allocated(device)
        return
    process, over = psutil.Process(), threading.Event()
    highest = process.memory_info().rss

    def look() -> None:
        nonlocal highest
        while not over.wait(SECONDS_BETWEEN_LOOKS):
            highest = max(highest, process.memory_info().rss)

    looking = threading.Thread(target=look, daemon=True)
    looking.start()
    try:
        yield lambda: highest
    finally:
        over.set()
        looking.join()
