"""The fast engine of translators: one beam search for all masks of some sentences of like length."""

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Bool

from study.certification.certify import random_masks
from study.engine.batched_decoding.decoder import BatchedDecoder, pair_bytes
from study.engine.batched_decoding.proof import largest_difference
from study.engine.blocks import Columns
from study.engine.engine import Engine
from study.engine.memory import MemoryBudget
from study.engine.pairs import Block, Pairs
from study.engine.prefixes import attention_stages, passes, tree_order
from study.engine.weights.translator import TranslatorWeights
from study.subjects.decoding.beam import search
from study.subjects.subject import TokenRow
from study.subjects.translator import Translator

CPU_SENTENCES, GPU_SENTENCES = 10, 64
"""Most sentences of a block: more gain nothing on a CPU, and the longest search keeps the others waiting."""


class BatchedDecodingEngine(Engine):
    """Beam searches of all masks, step by step together."""

    name = "one beam search for all masks, in lockstep"
    subject: Translator

    def __init__(self, subject: Translator, weights: TranslatorWeights, budget: MemoryBudget) -> None:
        super().__init__(subject)
        self._weights, self._budget, self.workers = weights, budget, budget.workers

    def blocks(self, rows: Sequence[TokenRow], masks: Bool[np.ndarray, "M H"]) -> list[Block]:
        """Sentences of like length, as many as memory allows; parts of the tree of masks where it allows but one."""
        by_length = np.argsort([len(row.source) for row in rows], kind="stable")
        in_tree = tree_order(masks, attention_stages(self.subject.layout))
        most = CPU_SENTENCES if self.subject.device.type == "cpu" else GPU_SENTENCES
        blocks, first = [], 0
        while first < len(by_length):
            longest = len(rows[by_length[first : first + most][-1]].source)
            pairs = max(1, self._budget.memory // pair_bytes(self._weights, longest, self.subject.beam_config.beam))
            some = by_length[first : first + min(most, max(1, pairs // len(masks)))]
            blocks += [Block(part, some) for part in np.array_split(in_tree, -(-len(masks) * len(some) // pairs))]
            first += len(some)
        return blocks

    @torch.no_grad()
    def outcomes(self, rows: Sequence[TokenRow], pairs: Pairs) -> Columns:
        """Translations."""
        padded, stand_in = self.subject.padded(rows), self.subject.stand_in(rows)
        decoder = BatchedDecoder(self._weights, self.subject.layout, pairs, *padded, stand_in)
        wanted = pairs.rows(rows)
        return self.subject.columns(search(decoder, self.subject.beam_config, self.subject.limits(wanted)), wanted)

    def difference(self, rows: Sequence[TokenRow]) -> float:
        """In nats, the largest of all words after each of some random ones, under the full mask and another one."""
        masks = np.stack([self.subject.layout.full(), *random_masks(self.subject.layout, 1)])
        return largest_difference(self._weights, self.subject, rows, masks)

    def passes(self, masks: Bool[np.ndarray, "M H"]) -> float:
        """More in truth: the words of every hypothesis are looked through by itself."""
        return passes(masks, attention_stages(self.subject.layout))
