"""The fast engine of translators: one beam search in lockstep for all masks of some sentences of like length."""

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Bool

from study.certification.certify import random_masks
from study.engine.batched_decoding.decoder import Lockstep, item_bytes, largest_difference
from study.engine.engine import Block, Columns, Engine
from study.engine.memory import Room
from study.engine.prefixes import passes, tree_order
from study.engine.weights.translator import SplitTranslator
from study.subjects.decoding.beam import search
from study.subjects.subject import TokenRow
from study.subjects.translator import Translator

SENTENCES = {"cpu": 10, "gpu": 64}
"""Of a block at the most: more gain nothing on a CPU, and the longest search keeps the others waiting."""


class LockstepSearch(Engine):
    """Beam searches of all masks, step by step together."""

    name = "one beam search for all masks, in lockstep"
    subject: Translator

    def __init__(self, subject: Translator, model: SplitTranslator, room: Room) -> None:
        """Make the engine.

        Args:
            subject: the certified translator.
            model: the same in parts.
            room: how much a block may take.
        """
        super().__init__(subject)
        self._model, self._room, self.workers = model, room, room.workers

    def blocks(self, rows: Sequence[TokenRow], masks: Bool[np.ndarray, "masks heads"]) -> list[Block]:
        """Sentences of like length, as many as memory allows; parts of the tree of masks where it allows but one."""
        by_length = np.argsort([len(row.source) for row in rows], kind="stable")
        in_tree = tree_order(masks, self.subject.layout)
        most = SENTENCES["cpu" if self.subject.device.type == "cpu" else "gpu"]
        blocks, first = [], 0
        while first < len(by_length):
            longest = len(rows[by_length[first : first + most][-1]].source)
            items = max(1, self._room.memory // item_bytes(self._model, longest, self.subject.rule.beam))
            some = by_length[first : first + min(most, max(1, items // len(masks)))]
            blocks += [Block(part, some) for part in np.array_split(in_tree, -(-len(masks) * len(some) // items))]
            first += len(some)
        return blocks

    @torch.no_grad()
    def outcomes(
        self,
        rows: Sequence[TokenRow],
        masks: Bool[np.ndarray, "masks heads"],
        wanted: Bool[np.ndarray, "masks examples"],
    ) -> Columns:
        """Translations of the wanted pairs."""
        decoder = Lockstep(self._model, self.subject.layout, masks, wanted, *self.subject.padded(rows))
        pairs = [rows[i] for i in np.nonzero(wanted)[1].tolist()]
        return self.subject.columns(search(decoder, self.subject.rule, self.subject.limits(pairs)), pairs)

    @torch.no_grad()
    def difference(self, rows: Sequence[TokenRow]) -> float:
        """In nats, the largest of all words after each of some random ones, under the full mask and another one."""
        layout, given = self.subject.layout, (*self.subject.padded(rows), self.subject.random_targets(rows))
        masks = np.stack([layout.full(), random_masks(layout, 1)[0]])
        return largest_difference(self._model, self.subject.module, self.subject.gate, masks, *given)

    def passes(self, masks: Bool[np.ndarray, "masks heads"]) -> float:
        """More in truth: the words of every hypothesis are looked through by itself."""
        return passes(masks, self.subject.layout)
