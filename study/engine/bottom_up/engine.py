"""The fast engine of classifiers: examples of equal length together, one pass bottom-up for all of their masks."""

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from study.engine.blocks import Columns
from study.engine.bottom_up.forward_pass import BottomUpPass
from study.engine.engine import Engine
from study.engine.growth import plan_rows
from study.engine.memory import MemoryBudget
from study.engine.pairs import Block, Pairs, equal_length_blocks
from study.engine.prefixes import attention_stages, passes, tree_order
from study.engine.weights.classifier import ClassifierWeights
from study.subjects.classifier import Classifier
from study.subjects.subject import TokenRow

HIDDEN_STATES = 6
"""Numbers per token, in widths of the model, that the widest place of a pass holds: its rows before and after, and
where many masks part from one, what is added to each."""


class BottomUpEngine(Engine):
    """One bottom-up pass for all masks of a block."""

    name = "one upward pass for all masks"
    subject: Classifier

    def __init__(self, subject: Classifier, weights: ClassifierWeights, budget: MemoryBudget) -> None:
        super().__init__(subject)
        self.workers = budget.workers
        if weights.layers[0].out.weight.dtype != torch.float32:
            self.name = f"{BottomUpEngine.name}, bfloat16"
        self._pass = BottomUpPass(weights, budget.product_tokens)
        self._most_tokens = budget.tokens(4 * HIDDEN_STATES * weights.width)

    @property
    def weights(self) -> ClassifierWeights:
        """The weights of its pass."""
        return self._pass.weights

    def blocks(self, rows: Sequence[TokenRow], masks: Bool[np.ndarray, "M H"]) -> list[Block]:
        """Examples of equal length, as many as memory allows; parts of the tree of masks where it allows but one."""
        in_tree = tree_order(masks, attention_stages(self.subject.layout))
        return equal_length_blocks([len(row.source) for row in rows], in_tree, self._most_tokens)

    def outcomes(self, rows: Sequence[TokenRow], pairs: Pairs) -> Columns:
        """Logits by the shared pass."""
        return self.subject.columns(self.logits(rows, pairs), pairs.rows(rows))

    def logits(self, rows: Sequence[TokenRow], pairs: Pairs) -> Float[Tensor, "P C"]:
        """Logits of each pair of examples of equal length."""
        plan, stand_in = plan_rows(pairs, attention_stages(self.subject.layout)), self.subject.stand_in(rows)
        return self._pass.logits(*self.subject.inputs(rows), plan, stand_in)

    def passes(self, masks: Bool[np.ndarray, "M H"]) -> float:
        """A little less in truth: see the last layer in `bottom_up.forward_pass`."""
        return passes(masks, attention_stages(self.subject.layout))
