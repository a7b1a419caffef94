"""How blocks are computed: several at a time, in a random order, so that the rate so far is the rate to come.

A block that does not fit into memory is cut in two.
"""

import logging
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Executor, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass
from traceback import clear_frames
from typing import Any

import numpy as np
import torch
from jaxtyping import Int

from study.engine.pairs import Block

log = logging.getLogger(__name__)

Columns = dict[str, Any]


@dataclass(frozen=True)
class BlockResult:
    """What was computed for the pairs of a block.

    Attributes:
        masks: position of the mask of each row.
        examples: position of the example of each row.
        columns: what stands in the rows.
    """

    masks: Int[np.ndarray, " rows"]
    examples: Int[np.ndarray, " rows"]
    columns: Columns


def compute_blocks(
    blocks: Sequence[Block], compute: Callable[[Block], BlockResult | None], workers: int
) -> Iterator[BlockResult]:
    """Every block in a random order, `workers` at a time; halved, and halved again, where memory does not suffice.

    Several blocks at a time, each on its share of the threads, make better use of a processor than one on all.
    """
    waiting = [blocks[i] for i in np.random.default_rng(0).permutation(len(blocks))]
    most = max((block.size for block in blocks), default=0)
    running: dict[Future[BlockResult | None], Block] = {}
    with worker_pool(min(workers, len(blocks))) as pool:
        while waiting or running:
            while waiting and len(running) < workers:
                block = waiting.pop()
                if block.size > max(most, 1):
                    waiting += block.halves()
                else:
                    running[pool.submit(compute, block)] = block
            for future in wait(running, return_when=FIRST_COMPLETED).done:
                block = running.pop(future)
                error = future.exception()
                if error is None:
                    if (result := future.result()) is not None:
                        yield result
                    continue
                if block.size == 1 or not _out_of_memory(error):
                    raise error
                clear_frames(error.__traceback__)  # they hold the tensors that did not fit
                most = min(most, block.size // 2)
                log.warning("out of memory: going on with blocks of %d masks × examples", most)
                waiting.append(block)


@contextmanager
def worker_pool(workers: int) -> Iterator[Executor]:
    """Workers among whom torch's threads are divided."""
    threads = torch.get_num_threads()
    share = max(1, threads // max(1, workers))
    pool = ThreadPoolExecutor(max(1, workers), initializer=torch.set_num_threads, initargs=(share,))
    try:
        yield pool
    finally:
        pool.shutdown(cancel_futures=True)
        torch.set_num_threads(threads)


def _out_of_memory(error: BaseException) -> bool:
    """It is said in several ways, in some only by the message."""
    said = ("allocate memory", "out of memory", "ALLOC_FAILED")
    return isinstance(error, torch.OutOfMemoryError | MemoryError) or any(words in str(error) for words in said)


def in_batches(costs: Sequence[int], most: int, *, padded: bool = True) -> list[Int[np.ndarray, " batch"]]:
    """Positions of examples of like cost together, the largest cost times their number at most `most`.

    Args:
        costs: cost of each example, in tokens.
        most: tokens of a batch, padding counted.
        padded: whether examples of different costs may stand in one batch.
    """
    batches: list[list[int]] = [[]]
    for i in np.argsort(costs, kind="stable").tolist():
        batch = batches[-1]
        if batch and (costs[i] * (len(batch) + 1) > most or not (padded or costs[i] == costs[batch[0]])):
            batches.append([])
        batches[-1].append(i)
    return [np.array(batch) for batch in batches if batch]
