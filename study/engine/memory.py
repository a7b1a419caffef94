"""Room: how many tokens a block may hold and a product may take. It changes speed and memory, no outcome."""

from dataclasses import dataclass

import psutil
import torch

SHARE = 0.25
"""Of the memory that is free when the engine is made: other jobs share the machine, and what is counted is not all."""

AT_ONCE = {"cpu": 1024, "gpu": 32768}
"""Tokens at once: on a CPU what stays in its caches, on a GPU what fills it."""

MOST_WORKERS = 8
"""Blocks at a time on a CPU: Python hands out the work to all of them in turn."""

MOST_ON_CPU = 2**15
"""Tokens of a block on a CPU: more gains nothing there, and less is lost when a job is killed."""


@dataclass(frozen=True)
class Room:
    """What one block may take.

    Attributes:
        tokens_at_once: in one matrix product.
        memory: bytes of a block.
        most_tokens: tokens of a block, whatever the memory.
        workers: blocks computed at a time.
    """

    tokens_at_once: int
    memory: int
    most_tokens: int
    workers: int = 1

    def tokens(self, bytes_per_token: int) -> int:
        """Tokens of a block, of which each takes so many bytes."""
        return max(1, min(self.memory // bytes_per_token, self.most_tokens))

    @classmethod
    def on(cls, device: torch.device, *, batch_tokens: int = 0, memory_gb: float = 0.0) -> "Room":
        """The room on a device.

        Args:
            device: where the model is.
            batch_tokens: tokens at once; chosen by the device when 0.
            memory_gb: memory of all blocks computed at a time; a quarter of what is free when 0.
        """
        kind = "cpu" if device.type == "cpu" else "gpu"
        cuda = device.type == "cuda"
        free = torch.cuda.mem_get_info(device)[0] if cuda else psutil.virtual_memory().available
        memory = int(memory_gb * 2**30) or int(free * SHARE)
        if kind == "gpu":
            return cls(batch_tokens or AT_ONCE[kind], memory, 2**31)
        workers = min(torch.get_num_threads(), MOST_WORKERS)
        return cls(batch_tokens or AT_ONCE[kind], memory // workers, MOST_ON_CPU, workers)
