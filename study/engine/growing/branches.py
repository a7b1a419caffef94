"""Attention in packed sequences: a token sees the tokens before it in its own sequence, at their own distances."""

from dataclasses import dataclass, field

import torch
from jaxtyping import Bool, Int
from torch import Tensor


@dataclass(frozen=True)
class Branches:
    """How the tokens of packed sequences, each of which stands for several, look at each other.

    Attributes:
        positions: position of each token in its own sequence.
        visible: which tokens each token may see: those before it in its own sequence, and itself.
        read_once: how many of the first tokens are read with every unit on, whatever the mask.
    """

    positions: Int[Tensor, "E T"]
    visible: Bool[Tensor, "E T T"]
    read_once: int = 0
    _made: dict[int, tuple[Tensor | None, Tensor]] = field(default_factory=dict, repr=False)

    def mask(self, plain: Tensor | None) -> Tensor:
        """What a layer is given instead of the mask that the model made for one plain sequence of T tokens.

        What one token sees of another in it depends on their positions (all before, a window, an additive bias). So the
        entry of two packed tokens is that of their positions, where the one is visible to the other.

        Args:
            plain: boolean (True: seen) or additive, [E or 1, heads or 1, T, T]; None where all before is seen.
        """
        if id(plain) not in self._made:
            self._made[id(plain)] = plain, self._mask(plain)  # kept with it, so that no other has its id
        return self._made[id(plain)][1]

    def _mask(self, plain: Tensor | None) -> Tensor:
        if plain is None:
            return self.visible[:, None]
        positions, visible = self.positions.to(plain.device), self.visible.to(plain.device)
        rows = plain.expand(len(positions), -1, -1, -1)
        entries = torch.stack([row[:, at][:, :, at] for row, at in zip(rows, positions, strict=True)])
        if plain.dtype == torch.bool:
            return entries & visible[:, None]
        return entries.masked_fill(~visible[:, None], torch.finfo(plain.dtype).min)
