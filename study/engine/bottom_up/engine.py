"""The fast engine of classifiers: examples of equal length together, one upward pass for all of their masks."""

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from study.engine.bottom_up.forward_pass import UpwardPass, plan
from study.engine.engine import Block, Columns, Engine
from study.engine.memory import Room
from study.engine.prefixes import passes, tree_order
from study.engine.weights.classifier import SplitEncoder
from study.subjects.classifier import Classifier
from study.subjects.subject import TokenRow

HIDDEN_STATES = 6
"""Numbers per token, in widths of the model, that the widest place of an upward pass holds: its rows before and after,
and where many masks part from one, what is added to each."""


class SharedPass(Engine):
    """One upward pass for all masks of a block."""

    name = "one upward pass for all masks"
    subject: Classifier

    def __init__(self, subject: Classifier, encoder: SplitEncoder, room: Room) -> None:
        """Make the engine.

        Args:
            subject: the certified classifier.
            encoder: the same in parts.
            room: how much a block may take.
        """
        super().__init__(subject)
        self.workers = room.workers
        if encoder.layers[0].out.weight.dtype != torch.float32:
            self.name = f"{SharedPass.name}, bfloat16"
        self._pass = UpwardPass(encoder, subject.layout, room.tokens_at_once)
        self._most_tokens = room.tokens(4 * HIDDEN_STATES * encoder.width)

    def blocks(self, rows: Sequence[TokenRow], masks: Bool[np.ndarray, "masks heads"]) -> list[Block]:
        """Examples of equal length, as many as memory allows; parts of the tree of masks where it allows but one."""
        in_tree = tree_order(masks, self.subject.layout)
        lengths = np.array([len(row.source) for row in rows])
        blocks = []
        for length in np.unique(lengths):
            examples = np.flatnonzero(lengths == length)
            at_once = self._most_tokens // (length * len(masks))
            num_parts = -(-len(examples) // max(at_once, 1))
            mask_parts = np.array_split(in_tree, -(-length * len(masks) // self._most_tokens))
            blocks += [Block(part, some) for some in np.array_split(examples, num_parts) for part in mask_parts]
        return blocks

    def outcomes(
        self,
        rows: Sequence[TokenRow],
        masks: Bool[np.ndarray, "masks heads"],
        wanted: Bool[np.ndarray, "masks examples"],
    ) -> Columns:
        """Logits of the wanted pairs by the shared pass."""
        return self._columns(self.logits(rows, masks, wanted), rows, wanted)

    def logits(
        self,
        rows: Sequence[TokenRow],
        masks: Bool[np.ndarray, "masks heads"],
        wanted: Bool[np.ndarray, "masks examples"],
    ) -> Float[Tensor, "pairs classes"]:
        """Of the wanted pairs, whose examples have equal length."""
        return self._pass.logits(*self.subject.inputs(rows), plan(masks, wanted, self.subject.layout))

    def passes(self, masks: Bool[np.ndarray, "masks heads"]) -> float:
        """A little less in truth: see the last layer in `study.engine.bottom_up.forward_pass`."""
        return passes(masks, self.subject.layout)

    def _columns(self, logits: Tensor, rows: Sequence[TokenRow], wanted: Bool[np.ndarray, "masks examples"]) -> Columns:
        return self.subject.columns(logits, [rows[i] for i in np.nonzero(wanted)[1].tolist()])
