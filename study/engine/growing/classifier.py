"""The fast engine of sequence classifiers on decoders (Llama, GPT-2 ...): one forward pass for all masks.

The examples of a block have equal length. What the module makes of last hidden states (it looks for the last token) is
computed by its own code, with a stand-in for its layers that hands on the hidden states of all rows.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from transformers.modeling_outputs import BaseModelOutputWithPast

from study.engine.blocks import Columns
from study.engine.growing.engine import GrowingEngine
from study.engine.memory import MemoryBudget
from study.engine.pairs import Block, Pairs, equal_length_blocks
from study.engine.prefixes import tree_order
from study.subjects.classifier import Classifier, last_token_read
from study.subjects.language_model.tail import with_stand_in
from study.subjects.subject import TokenRow, to_device


class GrowingClassifier(GrowingEngine):
    """One forward pass for all masks of a block."""

    subject: Classifier

    def __init__(self, subject: Classifier, budget: MemoryBudget) -> None:
        """Make the engine.

        Raises:
            UnsupportedModelError: when the model is no stack of layers that look back.
        """
        super().__init__(subject, subject.module.base_model, budget)
        self._given = _GivenStates()
        self._shell = with_stand_in(subject.module, subject.module.base_model, self._given)

    def blocks(self, rows: Sequence[TokenRow], masks: Bool[np.ndarray, "M H"]) -> list[Block]:
        """Examples of equal length, as many as memory allows; parts of the tree of masks where it allows but one."""
        return equal_length_blocks([len(row.source) for row in rows], tree_order(masks, self.stages), self.most_tokens)

    @torch.no_grad()
    def outcomes(self, rows: Sequence[TokenRow], pairs: Pairs) -> Columns:
        """Logits by the shared pass."""
        return self.subject.columns(self.logits(rows, pairs), pairs.rows(rows))

    def logits(self, rows: Sequence[TokenRow], pairs: Pairs) -> Float[Tensor, "P C"]:
        """Logits of each pair of examples of equal length."""
        used = np.flatnonzero(pairs.wanted.any(axis=0))
        own = Pairs(pairs.masks, pairs.wanted[:, used])
        ids_ET, _ = self.subject.inputs([rows[i] for i in used.tolist()])
        inputs = {"input_ids": ids_ET, "attention_mask": torch.ones_like(ids_ET)}
        with self.subject.standing(rows):
            hidden_RTd, plan = self.hidden(own, used, inputs)
        row_P, example_P = (to_device(torch.from_numpy(part), ids_ET.device) for part in (plan.row, own.example))
        self._given.states = hidden_RTd[row_P]
        ids_PT = ids_ET[example_P]
        with last_token_read(self.subject.module):
            return self._shell(input_ids=ids_PT, attention_mask=torch.ones_like(ids_PT)).logits


class _GivenStates(nn.Module):
    """Stands for the layers of a model: whatever it is given to read, the hidden states are these."""

    states: Tensor

    def forward(self, *_: Any, **__: Any) -> BaseModelOutputWithPast:
        """A call like that of the layers."""
        return BaseModelOutputWithPast(last_hidden_state=self.states)  # type: ignore[arg-type]
