"""Pairs of mask and example: what is asked for, what an evaluator asks an engine for, and the blocks it is cut into."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Bool, Int

from study.record.tables import Table

if TYPE_CHECKING:
    from study.subjects.subject import TokenRow


@dataclass(frozen=True)
class TableRequest:
    """Rows that are needed of a table.

    Attributes:
        table: the kind of rows.
        masks: under which masks.
        examples: ids of the examples that they are of; None for all.
        later: at most how many more masks will be asked for; which ones depends on what is not stored yet.
        surely: at least how many of these; None: all of them.
    """

    table: Table
    masks: Bool[np.ndarray, "M H"]
    examples: Sequence[str] | None = None
    later: int = 0
    surely: int | None = None


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


def equal_length_blocks(lengths: Sequence[int], in_tree: Int[np.ndarray, " M"], most_tokens: int) -> list[Block]:
    """Examples of equal length, as many as memory allows; parts of the tree of masks where it allows but one.

    Args:
        lengths: tokens of each example.
        in_tree: positions of the masks, those that share most together.
        most_tokens: tokens of a block, each mask counted.
    """
    every, blocks = np.array(lengths), []
    for length in np.unique(every):
        examples = np.flatnonzero(every == length)
        at_once = most_tokens // (length * len(in_tree))
        num_parts = -(-len(examples) // max(at_once, 1))
        mask_parts = np.array_split(in_tree, -(-length * len(in_tree) // most_tokens))
        blocks += [Block(part, some) for some in np.array_split(examples, num_parts) for part in mask_parts]
    return blocks


@dataclass(frozen=True)
class Pairs:
    """The pairs of mask and example that are to be computed, in the order of `np.argwhere(wanted)`.

    Attributes:
        masks: boolean rows in the order of the subject's heads.
        wanted: which masks on which examples.
    """

    masks: Bool[np.ndarray, "M H"]
    wanted: Bool[np.ndarray, "M E"]

    @classmethod
    def every(cls, masks: Bool[np.ndarray, "M H"], num_examples: int) -> "Pairs":
        """Every mask on every example."""
        return cls(masks, np.ones((len(masks), num_examples), dtype=bool))

    def __len__(self) -> int:
        return len(self.mask)

    @cached_property
    def mask(self) -> Int[np.ndarray, " P"]:
        """Position of the mask of each pair."""
        return np.nonzero(self.wanted)[0]

    @cached_property
    def example(self) -> Int[np.ndarray, " P"]:
        """Position of the example of each pair."""
        return np.nonzero(self.wanted)[1]

    def rows(self, rows: "Sequence[TokenRow]") -> "list[TokenRow]":
        """The example of each pair, given all examples."""
        return [rows[i] for i in self.example.tolist()]

    def within(self, block: Block) -> "Pairs":
        """The pairs of a block, whose masks and examples are then all there are."""
        return Pairs(self.masks[block.masks], self.wanted[np.ix_(block.masks, block.examples)])

    def only(self, chosen: Bool[np.ndarray, " P"]) -> "Pairs":
        """Some of the pairs, without the masks that none of them has."""
        wanted = self.wanted.copy()
        wanted[self.wanted] = chosen
        used = wanted.any(axis=1)
        return Pairs(self.masks[used], wanted[used])
