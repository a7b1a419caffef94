"""The engine: what computes outcomes of many masks on many examples, block by block.

An engine changes how fast an outcome comes, never what it is. Its blocks come in a random order, so that the rate so
far is the rate to come, and one that does not fit into memory is cut in two.
"""

import logging
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Executor, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from traceback import clear_frames
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Int

from study.record.loss import PLAIN, Loss
from study.subjects.subject import Subject, TokenRow

log = logging.getLogger(__name__)

Columns = dict[str, Any]


@dataclass(frozen=True)
class Block:
    """Some masks and some examples, by their positions."""

    masks: Int[np.ndarray, " masks"]
    examples: Int[np.ndarray, " examples"]

    @property
    def size(self) -> int:
        """Pairs of mask and example."""
        return len(self.masks) * len(self.examples)

    def halves(self) -> "list[Block]":
        """Half of the examples each, or of the masks where there is one example; itself where there is one mask too."""
        if len(self.examples) > 1:
            return [Block(self.masks, part) for part in np.array_split(self.examples, 2)]
        return [Block(part, self.examples) for part in np.array_split(self.masks, 2) if len(part)]


@dataclass(frozen=True)
class Done:
    """What was computed for pairs of mask and example.

    Attributes:
        masks: position of the mask of each row.
        examples: position of the example of each row.
        columns: what stands in the rows.
    """

    masks: Int[np.ndarray, " rows"]
    examples: Int[np.ndarray, " rows"]
    columns: Columns


class Engine(ABC):
    """Computes outcomes of a subject.

    Attributes:
        name: what it does, for log and provenance.
        subject: the certified model.
    """

    name: str
    workers = 1
    """Blocks computed at a time; more than one only where nothing is shared that changes, as the gate is."""

    gradient_tokens = 4096
    """Tokens of a forward and backward pass, padding included."""

    def __init__(self, subject: Subject) -> None:
        self.subject = subject

    @property
    def exact(self) -> "Engine":
        """The engine that decides wherever numbers are close; itself where it computes everything."""
        return self

    def difference(self, rows: Sequence[TokenRow]) -> float:  # noqa: ARG002
        """How far its own forward pass over these rows is from the module's; 0 where it has none."""
        return 0.0

    @abstractmethod
    def blocks(self, rows: Sequence[TokenRow], masks: Bool[np.ndarray, "masks heads"]) -> list[Block]:
        """Cut the work into blocks that fit into memory."""

    @abstractmethod
    def outcomes(
        self,
        rows: Sequence[TokenRow],
        masks: Bool[np.ndarray, "masks heads"],
        wanted: Bool[np.ndarray, "masks examples"],
    ) -> Columns:
        """Outcomes of the wanted pairs of one block, in the order of `np.argwhere(wanted)`."""

    def passes(self, masks: Bool[np.ndarray, "masks heads"]) -> float:
        """How many whole forward passes of an example these masks come to."""
        return float(len(masks))

    def run(
        self,
        rows: Sequence[TokenRow],
        masks: Bool[np.ndarray, "masks heads"],
        wanted: Bool[np.ndarray, "masks examples"],
    ) -> Iterator[Done]:
        """Outcomes of the wanted pairs, block by block.

        Args:
            rows: examples.
            masks: boolean rows in the order of the subject's heads.
            wanted: which masks on which examples.
        """
        return self._run(self.blocks, self.outcomes, self.workers, rows, masks, wanted)

    def run_gradients(
        self,
        rows: Sequence[TokenRow],
        masks: Bool[np.ndarray, "masks heads"],
        wanted: Bool[np.ndarray, "masks examples"],
        loss: Loss = PLAIN,
    ) -> Iterator[Done]:
        """Likewise gradients of a loss: columns `loss`, `gradient` and `token_gradient`, see `Subject.gradients`."""
        return self._run(self._gradient_blocks, partial(self.gradients, loss=loss), 1, rows, masks, wanted)

    def gradients(
        self,
        rows: Sequence[TokenRow],
        masks: Bool[np.ndarray, "masks heads"],
        wanted: Bool[np.ndarray, "masks examples"],
        loss: Loss = PLAIN,
    ) -> Columns:
        """Gradients of the wanted pairs of one block: one forward and one backward pass of the module."""
        mask, example = np.nonzero(wanted)
        return self.subject.gradients([rows[i] for i in example.tolist()], masks[mask], loss)

    def _gradient_blocks(self, rows: Sequence[TokenRow], masks: Bool[np.ndarray, "masks heads"]) -> list[Block]:
        batches = in_batches([len(row.source) for row in rows], self.gradient_tokens, padded=self.subject.pads)
        return [Block(np.array([i]), batch) for i in range(len(masks)) for batch in batches]

    def _run(
        self,
        cut: "Callable[[list[TokenRow], Bool[np.ndarray, 'masks heads']], list[Block]]",
        compute: Callable[..., Columns],
        workers: int,
        rows: Sequence[TokenRow],
        masks: Bool[np.ndarray, "masks heads"],
        wanted: Bool[np.ndarray, "masks examples"],
    ) -> Iterator[Done]:
        used = np.flatnonzero(wanted.any(axis=0))
        blocks = [Block(block.masks, used[block.examples]) for block in cut([rows[i] for i in used.tolist()], masks)]

        def done(block: Block) -> Done | None:
            part = wanted[np.ix_(block.masks, block.examples)]
            if not part.any():
                return None
            columns = compute([rows[i] for i in block.examples.tolist()], masks[block.masks], part)
            mask, example = np.nonzero(part)
            return Done(block.masks[mask], block.examples[example], columns)

        return _each(blocks, done, workers)


def _each(blocks: Sequence[Block], compute: Callable[[Block], Done | None], workers: int) -> Iterator[Done]:
    """Every block in a random order; halved, and halved again, where memory does not suffice.

    Several blocks at a time, each on its share of the threads, make better use of a processor than one on all.
    """
    waiting = [blocks[i] for i in np.random.default_rng(0).permutation(len(blocks))]
    most = max((block.size for block in blocks), default=0)
    running: dict[Future[Done | None], Block] = {}
    with _pool(min(workers, len(blocks))) as pool:
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
                    if (done := future.result()) is not None:
                        yield done
                    continue
                if block.size == 1 or not _out_of_memory(error):
                    raise error
                clear_frames(error.__traceback__)  # they hold the tensors that did not fit
                most = min(most, block.size // 2)
                log.warning("out of memory: going on with blocks of %d masks × examples", most)
                waiting.append(block)


@contextmanager
def _pool(workers: int) -> Iterator[Executor]:
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


class OneMaskAtATime(Engine):
    """The certified plain way, for every model: a forward pass for each mask and batch of examples."""

    name = "one mask at a time"

    def __init__(self, subject: Subject, batch_tokens: int) -> None:
        """Make the engine.

        Args:
            subject: the certified model.
            batch_tokens: most tokens in a forward pass, padding included (times the beam).
        """
        super().__init__(subject)
        self.batch_tokens = batch_tokens

    def blocks(self, rows: Sequence[TokenRow], masks: Bool[np.ndarray, "masks heads"]) -> list[Block]:
        """Examples of like length together, as many as `batch_tokens` allows, padding counted."""
        batches = in_batches([row.cost for row in rows], self.batch_tokens, padded=self.subject.pads)
        return [Block(np.array([i]), batch) for i in range(len(masks)) for batch in batches]

    def outcomes(
        self,
        rows: Sequence[TokenRow],
        masks: Bool[np.ndarray, "masks heads"],
        wanted: Bool[np.ndarray, "masks examples"],
    ) -> Columns:
        """One pass in which each row has the mask of its pair."""
        mask, example = np.nonzero(wanted)
        return self.subject.outcomes([rows[i] for i in example.tolist()], masks[mask])


def in_batches(costs: Sequence[int], most: int, *, padded: bool = True) -> list[Int[np.ndarray, " batch"]]:
    """Positions of examples of like cost together, the largest cost times their number at most `most`.

    Args:
        costs: of each example, in tokens.
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
