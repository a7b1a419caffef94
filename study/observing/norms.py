"""How long vectors are behind a head's part of the output projection, without that projection.

The norm of x W_h is that of x L where W_h = L Q and the rows of Q are orthonormal: D x D numbers a head in place of D
times the width of the model.

Shapes: H heads, D size of a head.
"""

import torch
from jaxtyping import Float
from torch import Tensor

from study.masking.sites import AttentionSite


class ProjectedNorm:
    """Norms of vectors behind the output projection of each head of a site."""

    def __init__(self, site: AttentionSite) -> None:
        weight_HDo = site.weight.detach().float().unflatten(0, (site.num_heads, -1))
        self._factor_HDD = torch.linalg.qr(weight_HDo.mT, mode="r").R.mT

    def __call__(self, heads: Float[Tensor, "*rows H n D"]) -> Float[Tensor, "*rows H n"]:
        """The norm of each vector of each head, behind its own columns of the projection, without the bias."""
        return torch.linalg.vector_norm(heads.float() @ self._factor_HDD, dim=-1)
