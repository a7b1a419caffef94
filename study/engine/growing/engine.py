"""What the engines of decoders have in common: rows grow through the layers of the model."""

from collections.abc import Mapping

import numpy as np
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from study.engine.engine import Engine
from study.engine.growing.branches import Branches
from study.engine.growing.layers import GrowingLayers
from study.engine.growing.stack import layer_stack
from study.engine.growth import RowPlan, plan_rows
from study.engine.memory import MemoryBudget
from study.engine.pairs import Pairs
from study.engine.prefixes import passes
from study.subjects.kept_state import kept_state
from study.subjects.subject import Subject

HIDDEN_STATES = 3
"""Numbers per token, in widths of the model, that a pass holds: before a layer, after it, and what is read of it."""

BLOCK = 4
"""How many times the tokens of other engines' blocks there may be: of a long text many masks must have room."""


class GrowingEngine(Engine):
    """One forward pass for all masks of a block, through the model's own layers."""

    name = "one upward pass for all masks, through the model's own layers"

    def __init__(self, subject: Subject, layers: nn.Module, budget: MemoryBudget) -> None:
        """Find the layers.

        Args:
            subject: a decoder.
            layers: the part of it that reads tokens and gives hidden states.
            budget: what a block may take.

        Raises:
            UnsupportedModelError: when it is no stack of layers that look back.
        """
        super().__init__(subject)
        stack = layer_stack(subject.module, subject.gate)
        self.stages = stack.stages
        self._part = layers
        self._layers = GrowingLayers(stack.layers, subject.gate, budget.product_tokens)
        width = subject.module.config.get_text_config().hidden_size
        bytes_per_token = subject.module.dtype.itemsize * HIDDEN_STATES * width
        self.most_tokens = max(1, min(budget.memory // bytes_per_token, BLOCK * budget.most_tokens))

    def hidden(
        self,
        pairs: Pairs,
        examples: Int[np.ndarray, " E"],
        inputs: Mapping[str, Tensor],
        branches: Branches | None = None,
    ) -> tuple[Float[Tensor, "R T d"], RowPlan]:
        """The last hidden states of all rows that pairs need, and which rows these are.

        Args:
            pairs: masks and sequences of equal length, each of which is wanted.
            examples: for each sequence the place of its example among those that what stands in was made for.
            inputs: what the layers read, a row for each sequence.
            branches: how tokens look at each other; None where sequences are plain.
        """
        plan = plan_rows(pairs, self.stages)
        xi = self.subject.as_xi(pairs.masks)
        with kept_state(self.subject.module):
            return self._layers.grown(plan, xi, pairs.mask, examples, self._forward, inputs, branches), plan

    def _forward(self, inputs: Mapping[str, Tensor]) -> Float[Tensor, "E T d"]:
        return self._part(**inputs, use_cache=False).last_hidden_state

    def passes(self, masks: Bool[np.ndarray, "M width"]) -> float:
        """Through the layers; what comes behind them is computed for every mask."""
        return passes(masks, self.stages)
