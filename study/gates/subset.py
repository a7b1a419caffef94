"""Gates of exactly K heads: differentiable subset pruning (Li, Cotterell and Sachan 2021).

Each head has a weight. For an update K heads are drawn by their weights, softly and without replacement (the relaxed
top K of Gumbel noise, Xie and Ermon 2019): the gates sum to K, and become K ones as the temperature falls. Straight
through, the K heads of largest weight have a gate of 1 and no noise, and the gradient passes as though the weights
themselves were the gates. At test time those K heads stay.
"""

import math
from collections.abc import Sequence
from typing import Any

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from study.gates.head_gates import HeadGates
from study.gates.options import Subset
from study.record.training.gates import GatesMoment
from study.record.units import Head

TINY = torch.finfo(torch.float64).tiny
"""Least probability whose logarithm is taken."""

LONGEST = 1.0
"""Largest norm of the gradient of the weights: where two keys are nearly equal it grows with 1 / temperature."""


class SubsetGates(HeadGates):
    """Gates that sum to the number of heads that stay.

    Attributes:
        options: how many stay, and how the temperature falls.
        weights: weight of each head, which is learned.
    """

    def __init__(self, options: Subset, heads: Sequence[Head], seed: int) -> None:
        """Gates before the first update; their weights are drawn as those of the authors' code.

        Args:
            options: how many stay, and how the temperature falls.
            heads: the heads, in the order of a mask.
            seed: seed of the start and of the draws.
        """
        super().__init__(heads, seed)
        self.options = options
        self.weights = nn.Parameter(self.glorot())

    def draw(self, progress: float) -> Float[Tensor, " heads"]:
        """See `HeadGates.draw`; in double precision, as keys lie far apart where the temperature is low."""
        if self.options.straight_through:
            return self.keeps().float() + (self.weights - self.weights.detach())  # exactly 0 or 1
        u = torch.rand(len(self.heads), generator=self.generator, dtype=torch.float64).clamp(min=TINY)
        weights = self.weights.double()
        if weights.requires_grad:
            weights.register_hook(_shortened)
        return soft_top(weights - (-u.log()).log(), self.options.keep, self.temperature(progress)).float()

    def temperature(self, progress: float) -> float:
        """It falls geometrically until the end of the cooldown."""
        first, last = math.log(self.options.temperature), math.log(self.options.final_temperature)
        return math.exp(first + min(1.0, progress / self.options.cooldown) * (last - first))

    def without_noise(self, progress: float) -> Float[Tensor, " heads"]:
        """The gates that an update would have without noise, cut at 1."""
        if self.options.straight_through:
            return self.keeps().float()
        return soft_top(self.weights.double(), self.options.keep, self.temperature(progress)).clamp(max=1).float()

    def keeps(self) -> Bool[Tensor, " heads"]:
        """The heads of largest weight; the largest of each kind before all others, where one is kept of each."""
        order = self.weights.argsort(descending=True, stable=True).tolist()
        if self.options.one_a_kind:
            first = {self.heads[i].kind: i for i in reversed(order)}.values()
            order = [*first, *(i for i in order if i not in first)]
        kept = torch.zeros(len(self.heads), dtype=torch.bool)
        kept[order[: self.options.keep]] = True
        return kept

    def record(self) -> dict[str, Any]:
        """See `HeadGates.record`."""
        return {"log_alpha": tuple(self.weights.tolist())}

    @torch.no_grad()
    def moment(self, step: int, progress: float) -> GatesMoment:
        """See `HeadGates.moment`."""
        return GatesMoment(step, tuple(self.without_noise(progress).tolist()), tuple(self.weights.tolist()))


def soft_top(keys: Float[Tensor, " heads"], number: int, temperature: float) -> Float[Tensor, " heads"]:
    """So many soft choices among heads, one after the other, added up: they sum to their number.

    Args:
        keys: logarithm of each head's weight, with Gumbel noise where the choices are to be random.
        number: how many choices.
        temperature: a choice is a softmax of keys by temperature, and lowers the keys of what it fell on. While the
            temperature is high a head may be chosen more than once in all.
    """
    chosen = torch.zeros_like(keys)
    for _ in range(number):
        share = (keys / temperature).softmax(0)
        chosen = chosen + share
        keys = keys + (1 - share).clamp(min=TINY).log()
    return chosen


def _shortened(gradient: Float[Tensor, " heads"]) -> Float[Tensor, " heads"]:
    return gradient * min(1.0, LONGEST / max(float(gradient.norm()), TINY))
