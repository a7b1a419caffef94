"""What a backward pass says of each head where several requests of a row read the same tokens at their beginning.

Shapes: R gate rows, S tokens that are shared, P rows of a pass, T tokens, H heads.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from study.masking.gate import Trace


@dataclass(frozen=True)
class SharedTrace(Trace):
    """A trace in which a token that all requests of a row read is one token: its copies add up before they count.

    Attributes:
        shared: how many tokens the requests of each row share.
        copies: sum over the copies of each shared token.
    """

    shared: Int[Tensor, " R"]
    copies: Float[Tensor, "R S H"]

    @classmethod
    def like(cls, xi: Float[Tensor, "R H"], shared: Sequence[int]) -> "SharedTrace":
        """An empty trace for some masks."""
        num_rows, num_heads = xi.shape
        copies = xi.new_zeros(num_rows, max(shared, default=0), num_heads)
        return cls(torch.zeros_like(xi), torch.zeros_like(xi), torch.tensor(shared, device=xi.device), copies)

    def add(self, part: "slice | Tensor", columns: slice, tokens: Float[Tensor, "P T h"]) -> None:
        """Take what one pass says of one layer; a row may stand in it several times."""
        assert isinstance(part, Tensor), "requests are computed in parts"
        tokens = tokens.to(self.signed.dtype)
        self.signed[:, columns].index_add_(0, part, tokens.sum(1))
        most = min(self.copies.shape[1], tokens.shape[1])
        is_shared_PT = torch.arange(tokens.shape[1], device=tokens.device) < self.shared[part][:, None]
        own = tokens.abs().masked_fill(is_shared_PT[..., None], 0.0)
        self.absolute[:, columns].index_add_(0, part, own.sum(1))
        together = tokens.masked_fill(~is_shared_PT[..., None], 0.0)[:, :most]
        self.copies[:, :most, columns].index_add_(0, part, together)

    def finish(self) -> None:
        """Count what the copies add up to."""
        self.absolute.add_(self.copies.abs().sum(1))
