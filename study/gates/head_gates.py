"""Gates of heads as numbers that multiply them: the contract of every method by which a training finds them.

Gates are on the CPU, wherever the model is: they are few, and what is random in them is then the same on every machine.
Their random numbers come from a generator of their own, so that dropout and the order of the batches are those of the
same training without gates.
"""

import math
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Sequence
from typing import Any

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from study.record.training.gates import GatesMoment
from study.record.units import Head, Layer


class HeadGates(nn.Module, ABC):
    """A number for each of some heads.

    Attributes:
        heads: the heads, in the order of a mask.
        generator: what is random comes from it; its state is part of the module's.
    """

    def __init__(self, heads: Sequence[Head], seed: int = 0) -> None:
        super().__init__()
        self.heads = tuple(heads)
        self.generator = torch.Generator().manual_seed(seed)

    @property
    def layers(self) -> list[Layer]:
        """The attention layer of each head."""
        return [(head.kind, head.layer) for head in self.heads]

    @abstractmethod
    def draw(self, progress: float) -> Float[Tensor, " heads"]:
        """Gates for one update, with a graph behind them where they are learned.

        Args:
            progress: share of the updates that are done.
        """

    @abstractmethod
    def keeps(self) -> Bool[Tensor, " heads"]:
        """Which heads stay, by the rule of test time."""

    def penalty(self, progress: float) -> Float[Tensor, ""]:  # noqa: ARG002
        """What is added to the loss of an update, with a graph behind it: 0 unless a method says more."""
        return torch.zeros(())

    def fault(self) -> str:
        """Why gates can no longer be learned, in words; empty as long as they can."""
        return ""

    def advice(self) -> str:
        """What is said where no head stays, after that: how some would; empty where that was asked for."""
        return ""

    def record(self) -> dict[str, Any]:
        """What the `GatesRecord` of a checkpoint says of the method's own numbers; nothing unless it has some."""
        return {}

    def moment(self, step: int, progress: float) -> GatesMoment | None:  # noqa: ARG002
        """The gates after a step, for their course; None where they are given."""
        return None

    def named(self, some: Bool[Tensor, " heads"]) -> tuple[str, ...]:
        """Addresses of some of the heads."""
        return tuple(str(head) for head, chosen in zip(self.heads, some.tolist(), strict=True) if chosen)

    def glorot(self) -> Float[Tensor, " heads"]:
        """Numbers drawn uniformly within sqrt(3 / H) of 0, with H gates in the layer.

        That is Glorot's rule for a tensor of 1 x H x 1 x 1, from which the code of Voita et al. starts.
        """
        counts = Counter(self.layers)
        bound = torch.tensor([math.sqrt(3 / counts[layer]) for layer in self.layers])
        return bound * (2 * torch.rand(len(self.heads), generator=self.generator) - 1)

    def get_extra_state(self) -> Tensor:
        """The state of what is random."""
        return self.generator.get_state()

    def set_extra_state(self, state: Tensor) -> None:
        """Go back to a state of what is random."""
        self.generator.set_state(state.cpu())


class GivenGates(HeadGates):
    """Gates that are given: 1 of heads that stay, 0 of the others."""

    def __init__(self, heads: Sequence[Head], mask: Bool[Tensor, " heads"]) -> None:
        """Gates of some heads; `mask` has True for those that stay."""
        super().__init__(heads)
        self.register_buffer("mask", mask)

    def draw(self, progress: float) -> Float[Tensor, " heads"]:  # noqa: ARG002
        """See `HeadGates.draw`."""
        return self.keeps().float()

    def keeps(self) -> Bool[Tensor, " heads"]:
        """See `HeadGates.keeps`."""
        return self.get_buffer("mask")
