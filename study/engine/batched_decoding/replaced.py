"""What stands in the place of heads that are off: xi * c + (1 - xi) * r in a decoder that carries many searches."""

from collections.abc import Callable

import torch
from jaxtyping import Float, Int
from torch import Tensor

from study.engine.batched_decoding.shared_states import Nodes
from study.masking.stand_ins import Place, StandIn, Uniform
from study.record.units import Layer

Instead = Callable[[Int[Tensor, " n"], Int[Tensor, " n"]], Float[Tensor, "#n c"]]
"""What stands in for rows after a layer, by the node below that each comes from, and by its group."""


def mean_present(value: Float[Tensor, "R H S D"], absent: Float[Tensor, "R S"] | None) -> Float[Tensor, "R H D"]:
    """The mean over the tokens that are there; `absent` is 0 at these, and nowhere else."""
    if absent is None:
        return value.mean(2)
    there_RS = (absent == 0).to(value)
    share_RS = there_RS / there_RS.sum(1, keepdim=True)
    return (share_RS[:, None, None] @ value)[:, :, 0]


class LayerReplacement:
    """What stands in, in one attention layer of the decoder.

    Of uniform attention it is a running mean of values: each node continues that of the node before it. At the source
    it is the same in every step.
    """

    def __init__(
        self,
        stand_in: StandIn,
        layer: Layer,
        sentences: Int[Tensor, " G"],
        source_means: Float[Tensor, "G c"] | None = None,
    ) -> None:
        """Begin.

        Args:
            stand_in: what stands in, in the sentences.
            layer: the layer.
            sentences: that of each group after the layer.
            source_means: the mean of what each of these groups sees of its source, where that stands in.
        """
        self._stand_in, self._layer, self._sentences = stand_in, layer, sentences
        self._source_means = source_means
        self._mean: Tensor | None = None

    def target(self, step: int, values: Float[Tensor, "N c"], nodes: Nodes) -> Instead | None:
        """What stands in at a step of self-attention, given the values of the nodes before the layer."""
        if not isinstance(self._stand_in, Uniform):
            return self._told(step)
        mean_Nc = self._running_mean(step, values, nodes)
        return lambda below, _: mean_Nc.index_select(0, below)

    def source(self, step: int) -> Instead | None:
        """What stands in at a step of attention to the source."""
        return self._told(step) if self._source_means is None else _by_group(self._source_means)

    def _told(self, step: int) -> Instead | None:
        """What the stand-in has for this position; None where that is zero."""
        position = torch.full((1, 1), step, device=self._sentences.device)
        found_G1HD = self._stand_in.heads(self._layer, Place(self._sentences, position))
        return None if found_G1HD is None else _by_group(found_G1HD.flatten(1))

    def _running_mean(self, step: int, values: Float[Tensor, "N c"], nodes: Nodes) -> Float[Tensor, "N c"]:
        if self._mean is None or nodes.parent is None:
            self._mean = values
        else:
            self._mean = torch.lerp(self._mean.index_select(0, nodes.parent), values, 1 / (step + 1))
        return self._mean


def _by_group(numbers: Float[Tensor, "#G c"]) -> Instead:
    return lambda _, group: numbers if len(numbers) == 1 else numbers.index_select(0, group)
