"""What stands in the place of heads that are off in one layer, for the rows of a bottom-up pass."""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from study.engine.weights.classifier import ClassifierLayer
from study.masking.stand_ins import Place, StandIn, Uniform
from study.record.units import AttentionKind
from study.subjects.subject import to_device


@dataclass(frozen=True)
class LayerReplacement:
    """What stands in, in one layer.

    Attributes:
        stand_in: what stands in, in the examples of the block.
        layer: number of the layer.
        examples: the example of each row before it.
    """

    stand_in: StandIn
    layer: int
    examples: Int[np.ndarray, " R"]

    def contexts(self, rows: slice, value: Float[Tensor, "R H T D"]) -> Float[Tensor, "#R H #T D"] | None:
        """For all tokens of some rows, whose values these are; None where that is zero."""
        if isinstance(self.stand_in, Uniform):
            return value.mean(2, keepdim=True)
        found = self._heads(self.examples[rows], value.shape[2], value)
        return None if found is None else found.transpose(1, 2).to(value.dtype)

    def first_contexts(
        self, rows: Int[np.ndarray, " n"], layer: ClassifierLayer, x: Float[Tensor, "R T d"]
    ) -> Float[Tensor, "#n H D"] | None:
        """For the first token of some rows; None where that is zero. The mean of values is the value of the mean."""
        if isinstance(self.stand_in, Uniform):
            distinct, place = np.unique(rows, return_inverse=True)
            mean_Rd = x[to_device(torch.from_numpy(distinct), x.device)].mean(1)
            value_RHD = layer.values(mean_Rd.expand(layer.num_heads, -1, -1))
            return value_RHD[to_device(torch.from_numpy(place), x.device)]
        found = self._heads(self.examples[rows], 1, x)
        return None if found is None else found[:, 0]

    def _heads(self, examples: np.ndarray, length: int, like: Tensor) -> Float[Tensor, "#R #T H D"] | None:
        place = Place(
            to_device(torch.from_numpy(examples), like.device), torch.arange(length, device=like.device)[None]
        )
        return self.stand_in.heads((AttentionKind.ENCODER_SELF, self.layer), place)
