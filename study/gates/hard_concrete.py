"""Hard Concrete gates: learned under an L0 penalty on those that are open (Louizos et al. 2018; Voita et al. 2019).

With u uniform, s = sigmoid((ln u - ln(1 - u) + log alpha) / beta), and g = s (zeta - gamma) + gamma, cut to [0, 1]. As
gamma < 0 and zeta > 1, a gate is exactly 0 or exactly 1 with probabilities that have closed forms.
"""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from study.gates.head_gates import HeadGates
from study.gates.options import HardConcrete, Reduction
from study.record.training.gates import DECIDED, GatesMoment
from study.record.units import Head

NOISE_CLIP = 1e-6
"""How far u stays from 0 and 1, as in the code of Voita et al."""

NODES = 64
"""Points of the quadrature of the expected gate."""


class HardConcreteGates(HeadGates):
    """Hard Concrete gates.

    Attributes:
        options: the penalty, the start and the constants.
        log_alpha: location of each gate, which is learned.
    """

    def __init__(self, options: HardConcrete, heads: Sequence[Head], seed: int) -> None:
        """Gates before the first update.

        Args:
            options: the penalty, the start and the constants.
            heads: the heads, in the order of a mask.
            seed: seed of the start and of the draws.
        """
        super().__init__(heads, seed)
        self.options = options
        initial = self.glorot() if options.initial is None else torch.full((len(self.heads),), float(options.initial))
        self.log_alpha = nn.Parameter(initial)

    def draw(self, progress: float) -> Float[Tensor, " heads"]:  # noqa: ARG002
        """See `HeadGates.draw`."""
        return self.sample(1)[0]

    def sample(self, number: int) -> Float[Tensor, "number heads"]:
        """Gates for so many updates."""
        u = NOISE_CLIP + (1 - 2 * NOISE_CLIP) * torch.rand(number, len(self.heads), generator=self.generator)
        return self._stretched(((u.logit() + self.log_alpha) / self.options.beta).sigmoid())

    def _stretched(self, s: Float[Tensor, "..."]) -> Float[Tensor, "..."]:
        """Numbers between 0 and 1 stretched to the interval from gamma to zeta, and cut."""
        gamma, zeta = self.options.gamma, self.options.zeta
        return (s * (zeta - gamma) + gamma).clamp(0, 1)

    def penalty(self, progress: float) -> Float[Tensor, ""]:
        """Lambda times the sum of P(g > 0) over heads, or times the mean over layers of each layer's sum."""
        layers = len(set(self.layers)) if self.options.reduction is Reduction.mean else 1
        return self.strength(progress) / layers * self.open().sum()

    def strength(self, progress: float) -> float:
        """Lambda after a share of the updates: during the warm-up it rises linearly."""
        warmup = self.options.warmup
        return self.options.penalty * (min(1.0, progress / warmup) if warmup else 1.0)

    def logit_above(self, value: float) -> Float[Tensor, " heads"]:
        """The logit of the probability that a gate, before it is cut, is above a value between gamma and zeta."""
        gamma, zeta = self.options.gamma, self.options.zeta
        return self.log_alpha - self.options.beta * math.log((value - gamma) / (zeta - value))

    def open(self) -> Float[Tensor, " heads"]:
        """P(g > 0) = sigmoid(log alpha - beta ln(-gamma / zeta))."""
        return self.logit_above(0.0).sigmoid()

    def zero(self) -> Float[Tensor, " heads"]:
        """P(g = 0) = 1 - P(g > 0)."""
        return (-self.logit_above(0.0)).sigmoid()

    def one(self) -> Float[Tensor, " heads"]:
        """P(g = 1) = sigmoid(log alpha - beta ln((1 - gamma) / (zeta - 1)))."""
        return self.logit_above(1.0).sigmoid()

    def expected(self) -> Float[Tensor, " heads"]:
        """E[g], the integral of P(g > t) over t from 0 to 1, by Gauss-Legendre quadrature."""
        nodes, shares = np.polynomial.legendre.leggauss(NODES)
        above = [self.logit_above((node + 1) / 2).sigmoid() for node in nodes]
        return torch.tensor(shares / 2).to(self.log_alpha) @ torch.stack(above)

    def keeps(self) -> Bool[Tensor, " heads"]:
        """The paper's rule: a gate is 1 where that is likelier than 0; or as many as are asked for."""
        if self.options.top is None:
            return self.one() > self.zero()
        kept = torch.zeros(len(self.heads), dtype=torch.bool)
        kept[self.log_alpha.argsort(descending=True, stable=True)[: self.options.top]] = True
        return kept

    def without_noise(self) -> Float[Tensor, " heads"]:
        """The gates by the code's rule: sigmoid(log alpha), stretched and cut. Some are between 0 and 1."""
        return self._stretched(self.log_alpha.sigmoid())

    def fault(self) -> str:
        """See `HeadGates.fault`."""
        if not bool((self.zero() >= DECIDED).all()):
            return ""
        return (
            f"gates.penalty={self.options.penalty:g} has closed all {len(self.heads)} heads, each gate is 0 with a "
            f"probability of {DECIDED:g} or more: take a smaller gates.penalty, or a larger gates.warmup"
        )

    def advice(self) -> str:
        """See `HeadGates.advice`."""
        smaller = self.options.penalty / 2
        return (
            f": the score is that of a model without them. A smaller gates.penalty keeps some "
            f"(gates.penalty={smaller:g}), and gates.top=K keeps the K likeliest"
        )

    @torch.no_grad()
    def record(self) -> dict[str, Any]:
        """See `HeadGates.record`."""
        zero, one, code = self.zero(), self.one(), self.without_noise()
        return {
            "log_alpha": tuple(self.log_alpha.tolist()),
            "zero": tuple(zero.tolist()),
            "one": tuple(one.tolist()),
            "open": tuple(self.open().tolist()),
            "undecided": self.named(torch.maximum(zero, one) < DECIDED),
            "fractional": self.named((code > 0) & (code < 1)),
        }

    @torch.no_grad()
    def moment(self, step: int, progress: float) -> GatesMoment:
        """See `HeadGates.moment`."""
        return GatesMoment(
            step, tuple(self.open().tolist()), tuple(self.log_alpha.tolist()), self.penalty(progress).item()
        )
