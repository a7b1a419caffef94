"""The engine: what computes outcomes of many masks on many examples, block by block.

An engine changes how fast an outcome comes, never what it is.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np
from jaxtyping import Bool

from study.engine.blocks import BlockResult, Columns, compute_blocks, in_batches
from study.engine.pairs import Block, Pairs
from study.observing.observe import observe
from study.record.cascade import Thresholds
from study.record.loss import PLAIN, Loss
from study.record.tables import OUTCOMES, Gradients, Outcomes, Table
from study.subjects.subject import Subject, TokenRow


class Engine(ABC):
    """Computes rows of a subject.

    Attributes:
        name: what it does, for log and provenance.
        subject: the certified model.
    """

    name: str
    has_stages = False
    """Whether its outcomes have a column that says at which stage of a cascade they were computed."""

    workers = 1
    """Blocks computed at a time; more than one only where nothing is shared that changes, as the gate is."""

    gradient_tokens = 4096
    """Tokens of a forward and backward pass, padding included."""

    observed_tokens = 4096
    """Tokens of a pass whose attention is looked at."""

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

    def least_passes(self, masks: Bool[np.ndarray, "M H"], examples: int) -> float:  # noqa: ARG002
        """As `passes`, if other stages take all of so many examples that they may."""
        return self.passes(masks)

    def run(self, rows: Sequence[TokenRow], pairs: Pairs, table: Table = OUTCOMES) -> Iterator[BlockResult]:
        """The rows of a table, block by block."""
        return (results[table] for results in self.run_together(rows, pairs, (table,)))

    def run_together(
        self, rows: Sequence[TokenRow], pairs: Pairs, tables: Sequence[Table]
    ) -> Iterator[Mapping[Table, BlockResult]]:
        """The rows of tables that one pass gives, block by block: all that is seen of attention, or one table alone."""
        match tables:
            case [Outcomes() as table]:
                blocks = self.run_outcomes(rows, pairs)
            case [Gradients() as table]:
                blocks = self.run_gradients(rows, pairs, table.loss)
            case _:
                return self._run_observations(rows, pairs, tables)
        return ({table: block} for block in blocks)

    def run_outcomes(self, rows: Sequence[TokenRow], pairs: Pairs) -> Iterator[BlockResult]:
        """Outcomes, block by block."""
        return run_blocks(rows, pairs, self.blocks, self.outcomes, self.workers)

    def run_exactly(
        self, rows: Sequence[TokenRow], pairs: Pairs, tables: Sequence[Table]
    ) -> Iterator[Mapping[Table, BlockResult]]:
        """As `run_together`; no outcome is a draft."""
        return self.run_together(rows, pairs, tables)

    @property
    def thresholds(self) -> Thresholds:
        """The margins that its drafts must be above, as far as they are known; none where rows have no stages."""
        return Thresholds()

    def learn(self, thresholds: Thresholds) -> None:  # noqa: B027
        """Take over the thresholds that others know, where rows have stages."""

    def raise_thresholds(self, rows: Sequence[TokenRow], pairs: Pairs, least: Thresholds) -> None:  # noqa: B027
        """Let thresholds rise by the errors of drafts that were found wrong, where rows have stages.

        Args:
            rows: the examples.
            pairs: the decisions.
            least: how far they rise at least.
        """

    def run_gradients(self, rows: Sequence[TokenRow], pairs: Pairs, loss: Loss = PLAIN) -> Iterator[BlockResult]:
        """Gradients of a loss, block by block: columns as `Subject.gradients` gives them."""

        def blocks(rows: Sequence[TokenRow], masks: Bool[np.ndarray, "M H"]) -> list[Block]:
            return self._mask_by_mask(masks, [len(row.source) for row in rows], self.gradient_tokens)

        def gradients(rows: Sequence[TokenRow], pairs: Pairs) -> Columns:
            return self.gradients(pairs.rows(rows), pairs.masks[pairs.mask], loss)

        return run_blocks(rows, pairs, blocks, gradients, workers=1)

    def _run_observations(
        self, rows: Sequence[TokenRow], pairs: Pairs, tables: Sequence[Table]
    ) -> Iterator[Mapping[Table, BlockResult]]:
        """What attention looks at, by the model's own pass, whatever computes the outcomes."""

        def blocks(rows: Sequence[TokenRow], masks: Bool[np.ndarray, "M H"]) -> list[Block]:
            return self._mask_by_mask(masks, [len(row.source) for row in rows], self.observed_tokens)

        def observations(rows: Sequence[TokenRow], pairs: Pairs) -> Columns:
            seen = observe(self.subject, pairs.rows(rows), pairs.masks[pairs.mask], tables)
            return {table.name: columns for table, columns in seen.items()}

        for block in run_blocks(rows, pairs, blocks, observations, workers=1):
            yield {table: replace(block, columns=block.columns[table.name]) for table in tables}

    def _mask_by_mask(self, masks: Bool[np.ndarray, "M H"], costs: Sequence[int], most: int) -> list[Block]:
        """One mask a block, with as many examples of like cost as `most` tokens allow."""
        batches = in_batches(costs, most, padded=self.subject.pads)
        return [Block(np.array([i]), batch) for i in range(len(masks)) for batch in batches]


def run_blocks(
    rows: Sequence[TokenRow],
    pairs: Pairs,
    cut: Callable[[Sequence[TokenRow], np.ndarray], list[Block]],
    compute: Callable[[Sequence[TokenRow], Pairs], Columns],
    workers: int,
) -> Iterator[BlockResult]:
    """Cut the examples that are wanted at all into blocks with the masks, and compute these.

    Args:
        rows: the examples.
        pairs: what is wanted of them.
        cut: cuts examples and masks into blocks.
        compute: gives the columns of the wanted pairs of a block.
        workers: blocks computed at a time.
    """
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
