"""The fast engine of language models: one forward pass for all masks, in which choices share their context.

Sequences of equal length go through the layers together. What the choices of an example read alike stands once in a
sequence, and each branches off from it (`token_tree`), where the model is proved to compute the same so.
"""

from collections import defaultdict
from collections.abc import Hashable, Iterator, Sequence
from itertools import accumulate
from typing import Any, NamedTuple

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from study.engine.blocks import Columns, in_batches
from study.engine.growing.branches import Branches
from study.engine.growing.engine import GrowingEngine
from study.engine.growing.gradients import packed_gradients
from study.engine.growing.rope_lengths import RopeLengths
from study.engine.growing.scoring import request_scores
from study.engine.growing.token_tree import TokenTree, token_trees
from study.engine.growth import RowPlan
from study.engine.memory import MemoryBudget
from study.engine.pairs import Block, Pairs
from study.engine.prefixes import tree_order
from study.engine.weights.modules import UnsupportedModelError
from study.record.loss import PLAIN, Loss
from study.subjects.language_model.passes import language_rows
from study.subjects.language_model.requests import LanguageRow
from study.subjects.language_model.subject import LanguageModel
from study.subjects.subject import TokenRow, to_device

LEAST_MASKS = 64
"""Masks of a block, where memory allows: what they share is computed again for each block."""


class _Sequence(NamedTuple):
    """A tree of the example at a position, as a sequence of a pass."""

    example: int
    tree: TokenTree


class GrowingLanguageModel(GrowingEngine):
    """One forward pass for all masks of a block.

    Attributes:
        packs: whether choices share what they read alike, in one sequence.
        lengths: which lengths may stand in one pass.
    """

    subject: LanguageModel

    def __init__(self, subject: LanguageModel, budget: MemoryBudget, *, packs: bool) -> None:
        """Make the engine.

        Raises:
            UnsupportedModelError: when the model is no stack of layers.
        """
        super().__init__(subject, subject.tail.layers, budget)
        self.packs = packs
        self.lengths = RopeLengths(subject.module.config.get_text_config())
        if packs:
            self.name = f"{GrowingEngine.name}, choices packed"
        self._parted = subject.acts_on_scored
        if self._parted and not packs:
            raise UnsupportedModelError("masks act on scored tokens alone, and its sequences cannot be packed")

    def trees(self, row: LanguageRow) -> list[TokenTree]:
        """The sequences that an example is read as."""
        packs = self.packs and row.choices > 0
        return token_trees(row.requests, packs=packs, parted=self._parted, alike=self.lengths.key)

    def blocks(self, rows: Sequence[TokenRow], masks: Bool[np.ndarray, "M width"]) -> list[Block]:
        """Examples of like cost, as many as memory allows; parts of the tree of masks where it allows but one."""
        in_tree = tree_order(masks, self.stages)
        lengths = [[tree.num_grown for tree in self.trees(row)] for row in language_rows(rows)]
        blocks: list[Block] = []
        for examples in in_batches([sum(own) for own in lengths], max(1, self.most_tokens // len(masks))):
            tokens = [length for i in examples.tolist() for length in lengths[i]]
            needed = -(-max(tokens) * len(masks) // self.most_tokens)
            better = min(-(-sum(tokens) * len(masks) // self.most_tokens), len(masks) // LEAST_MASKS)
            blocks += [Block(part, examples) for part in np.array_split(in_tree, max(needed, better))]
        return blocks

    @torch.no_grad()
    def outcomes(self, rows: Sequence[TokenRow], pairs: Pairs) -> Columns:
        """Sums of log-probabilities by the shared pass."""
        own = language_rows(rows)
        first = [0, *accumulate(len(row.requests) for row in own)]
        sums = np.zeros((len(pairs.masks), first[-1]))
        greedy = np.zeros(sums.shape, dtype=np.int64)
        stand_in = self.subject.stand_in(rows)
        for sequences in self._passes(own, pairs):
            examples = np.array([sequence.example for sequence in sequences])
            pass_pairs = Pairs(pairs.masks, pairs.wanted[:, examples])
            with self.subject.gate.standing(stand_in):
                hidden_RTd, plan = self.states([sequence.tree for sequence in sequences], pass_pairs, examples)
            for number, (example, tree) in enumerate(sequences):
                chosen = np.flatnonzero(pass_pairs.example == number)
                where = np.ix_(pass_pairs.mask[chosen], first[example] + np.array(tree.requests))
                sums[where], greedy[where] = request_scores(self.subject, tree, hidden_RTd, plan.row[chosen])
        wanted = pairs.rows(rows)
        requests = [np.arange(first[i], first[i + 1]) for i in pairs.example.tolist()]
        at = np.repeat(pairs.mask, [len(part) for part in requests]), np.concatenate(requests)
        return self.subject.columns(sums[at], greedy[at], language_rows(wanted))

    def gradients(self, rows: Sequence[TokenRow], masks: Bool[np.ndarray, "rows width"], loss: Loss) -> Columns:
        """As `Subject.gradients`; choices that share their context read it once."""
        own = language_rows(rows)
        if not self.packs or loss != PLAIN or not all(self._is_one_sequence(row) for row in own):
            return self.subject.gradients(rows, masks, loss)
        with self.subject.standing(rows):
            return packed_gradients(self.subject, self.states, own, masks, self.alike, parted=self._parted)

    def _is_one_sequence(self, row: LanguageRow) -> bool:
        """Whether all choices of a row may stand in one sequence."""
        return row.choices > 1 and len({self.lengths.key(len(one.read)) for one in row.requests[: row.choices]}) == 1

    def alike(self, tree: TokenTree) -> Hashable:
        """What sequences have in common where they may go through the layers together."""
        return len(tree.tokens), tree.is_plain, tree.read_once, self.lengths.key(tree.depth)

    def _passes(self, rows: Sequence[LanguageRow], pairs: Pairs) -> Iterator[list[_Sequence]]:
        """The sequences of the examples that are wanted, those of equal length together, as many as memory allows."""
        alike: dict[Hashable, list[_Sequence]] = defaultdict(list)
        for example in np.flatnonzero(pairs.wanted.any(axis=0)).tolist():
            for tree in self.trees(rows[example]):
                alike[self.alike(tree)].append(_Sequence(example, tree))
        for sequences in alike.values():
            at_once = max(1, self.most_tokens // (sequences[0].tree.num_grown * len(pairs.masks)))
            yield from (sequences[start : start + at_once] for start in range(0, len(sequences), at_once))

    def states(
        self, trees: Sequence[TokenTree], pairs: Pairs, examples: Int[np.ndarray, " E"]
    ) -> tuple[Float[Tensor, "R T d"], RowPlan]:
        """Last hidden states of sequences of equal length, all plain or all packed, and which rows these are.

        Args:
            trees: the sequences.
            pairs: masks and sequences.
            examples: for each sequence the place of its example among those that what stands in was made for.
        """
        inputs = {"input_ids": self._tensor([tree.tokens for tree in trees])}
        if trees[0].is_plain and not trees[0].read_once:
            return self.hidden(pairs, examples, inputs)
        positions = self._tensor([tree.positions for tree in trees])
        visible = self._tensor(np.stack([tree.visible for tree in trees]))
        inputs |= {"position_ids": positions, "attention_mask": torch.ones_like(positions)}
        return self.hidden(pairs, examples, inputs, Branches(positions, visible, trees[0].read_once))

    def _tensor(self, values: Any) -> Tensor:
        return to_device(torch.as_tensor(values), self.subject.device)
