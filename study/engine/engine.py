"""The engine: what computes outcomes of many masks on many examples, block by block.

An engine changes how fast an outcome comes, never what it is.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence

import numpy as np
from jaxtyping import Bool

from study.engine.blocks import BlockResult, Columns, compute_blocks, in_batches
from study.engine.pairs import Block, Pairs
from study.record.loss import PLAIN, Loss
from study.record.tables import OUTCOMES, Gradients, Table
from study.subjects.subject import Subject, TokenRow


class Engine(ABC):
    """Computes rows of a subject.

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
    def blocks(self, rows: Sequence[TokenRow], masks: Bool[np.ndarray, "M H"]) -> list[Block]:
        """Cut the work into blocks that fit into memory."""

    @abstractmethod
    def outcomes(self, rows: Sequence[TokenRow], pairs: Pairs) -> Columns:
        """Outcomes of the pairs of one block."""

    def gradients(self, rows: Sequence[TokenRow], masks: Bool[np.ndarray, "rows H"], loss: Loss) -> Columns:
        """Gradients of each row under its mask, see `Subject.gradients`."""
        return self.subject.gradients(rows, masks, loss)

    def passes(self, masks: Bool[np.ndarray, "M H"]) -> float:
        """How many whole forward passes of an example these masks come to."""
        return float(len(masks))

    def run(self, rows: Sequence[TokenRow], pairs: Pairs, table: Table = OUTCOMES) -> Iterator[BlockResult]:
        """What a table needs of these pairs, block by block: their outcomes, or gradients of its loss."""
        if isinstance(table, Gradients):
            return self.run_gradients(rows, pairs, table.loss)
        return self.run_outcomes(rows, pairs)

    def run_outcomes(self, rows: Sequence[TokenRow], pairs: Pairs) -> Iterator[BlockResult]:
        """Outcomes, block by block."""
        return _run(rows, pairs, self.blocks, self.outcomes, self.workers)

    def run_gradients(self, rows: Sequence[TokenRow], pairs: Pairs, loss: Loss = PLAIN) -> Iterator[BlockResult]:
        """Gradients of a loss, block by block: columns as `Subject.gradients` gives them."""

        def blocks(rows: Sequence[TokenRow], masks: Bool[np.ndarray, "M H"]) -> list[Block]:
            return self._mask_by_mask(masks, [len(row.source) for row in rows], self.gradient_tokens)

        def gradients(rows: Sequence[TokenRow], pairs: Pairs) -> Columns:
            return self.gradients(pairs.rows(rows), pairs.masks[pairs.mask], loss)

        return _run(rows, pairs, blocks, gradients, workers=1)

    def _mask_by_mask(self, masks: Bool[np.ndarray, "M H"], costs: Sequence[int], most: int) -> list[Block]:
        """One mask a block, with as many examples of like cost as `most` tokens allow."""
        batches = in_batches(costs, most, padded=self.subject.pads)
        return [Block(np.array([i]), batch) for i in range(len(masks)) for batch in batches]


def _run(
    rows: Sequence[TokenRow],
    pairs: Pairs,
    cut: Callable[[Sequence[TokenRow], np.ndarray], list[Block]],
    compute: Callable[[Sequence[TokenRow], Pairs], Columns],
    workers: int,
) -> Iterator[BlockResult]:
    """Cut the examples that are wanted at all into blocks with the masks, and compute these."""
    used = np.flatnonzero(pairs.wanted.any(axis=0))
    blocks = cut([rows[i] for i in used.tolist()], pairs.masks)

    def result(block: Block) -> BlockResult | None:
        part = pairs.within(block)
        if not len(part):
            return None
        columns = compute([rows[i] for i in block.examples.tolist()], part)
        return BlockResult(block.masks[part.mask], block.examples[part.example], columns)

    return compute_blocks([Block(block.masks, used[block.examples]) for block in blocks], result, workers)


class OneMaskAtATime(Engine):
    """The certified plain way, for every model: a forward pass for each mask and batch of examples.

    Attributes:
        batch_tokens: most tokens in a forward pass, padding included (times the beam).
    """

    name = "one mask at a time"

    def __init__(self, subject: Subject, batch_tokens: int) -> None:
        super().__init__(subject)
        self.batch_tokens = batch_tokens

    def blocks(self, rows: Sequence[TokenRow], masks: Bool[np.ndarray, "M H"]) -> list[Block]:
        """Examples of like length together, as many as `batch_tokens` allows, padding counted."""
        return self._mask_by_mask(masks, [row.cost for row in rows], self.batch_tokens)

    def outcomes(self, rows: Sequence[TokenRow], pairs: Pairs) -> Columns:
        """One pass in which each row has the mask of its pair."""
        return self.subject.outcomes(pairs.rows(rows), pairs.masks[pairs.mask])
