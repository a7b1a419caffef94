"""The stack of layers of a decoder, and what of a mask acts in each of them."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Int
from torch import nn
from transformers import PreTrainedModel

from study.engine.weights.modules import UnsupportedModelError
from study.masking.gate import Gate
from study.masking.sites import place_of
from study.record.units import AttentionKind


@dataclass(frozen=True)
class LayerStack:
    """The layers of a decoder, first to last.

    Attributes:
        layers: as transformers has them.
        stages: columns of a mask that act in each layer: its heads, and its MLP where that can be masked.
    """

    layers: Sequence[nn.Module]
    stages: Sequence[Int[np.ndarray, " _"]]


def layer_stack(module: PreTrainedModel, gate: Gate) -> LayerStack:
    """The one stack of layers that all heads of a decoder stand in.

    Raises:
        UnsupportedModelError: when heads stand elsewhere, or layers share them.
    """
    name = type(module).__name__
    places = [place_of(site.name) for site in gate.sites]
    stacks = {place and place[0] for place in places}
    if len(stacks) != 1 or None in stacks or any(site.kind is not AttentionKind.DECODER_SELF for site in gate.sites):
        raise UnsupportedModelError(f"{name} is not one stack of layers that look back")
    if gate.layout.uses:
        raise UnsupportedModelError(f"layers of {name} share their weights")
    layers = list(module.get_submodule(str(stacks.pop())).children())
    columns: list[list[int]] = [[] for _ in layers]
    for site, place in zip(gate.sites, filter(None, places), strict=True):
        own = gate.layout.columns(site.kind, site.layer)
        columns[place[1]] += range(own.start, own.stop)
    for layer in gate.layout.mlps:
        columns[layer].append(gate.layout.mlp_column(layer))
    return LayerStack(layers, [np.array(own, dtype=np.int64) for own in columns])
