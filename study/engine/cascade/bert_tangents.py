"""Tangents of classifiers that the engine takes apart: one forward pass, and one backward pass for each class but one.

The rows of a pass have equal length. In the last layer only the first token is computed, and nothing below the first
gate goes back; weights take no gradient.

Shapes: R rows, T tokens, H heads, D size of a head, C classes.
"""

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from study.engine.bottom_up.replaced import LayerReplacement
from study.engine.weights.classifier import ClassifierLayer, ClassifierWeights
from study.engine.weights.linear import PLAIN, Linear
from study.masking.stand_ins import StandIn, replaced


def bert_logits(
    weights: ClassifierWeights, ids: Tensor, segments: Tensor | None, xi: Float[Tensor, "R heads"], stand_in: StandIn
) -> Float[Tensor, "R C"]:
    """Logits of rows, with a graph behind them that leads to xi."""
    with torch.no_grad():
        x_RTd = weights.embed(ids, segments)
    every, first = np.arange(len(ids)), 0
    for number, layer in enumerate(weights.layers):
        xi_RH, first = xi[:, first : first + layer.num_heads], first + layer.num_heads
        is_last = number == len(weights.layers) - 1
        x_RTd = _layer(layer, x_RTd, xi_RH, LayerReplacement(stand_in, number, every), first_token=is_last)
    return weights.head(x_RTd[:, 0])


def _layer(
    layer: ClassifierLayer,
    x: Float[Tensor, "R T d"],
    xi: Float[Tensor, "R H"],
    replacement: LayerReplacement,
    *,
    first_token: bool,
) -> Float[Tensor, "R t d"]:
    """Rows through a layer; only their first tokens where nothing else is read."""
    shape = (*x.shape[:2], 3, layer.num_heads, layer.head_size)
    query, key, value = _product(layer.qkv, x).view(shape).permute(2, 0, 3, 1, 4)
    x = x[:, :1] if first_token else x
    attention_RHTT = (query[:, :, : x.shape[1]] @ key.transpose(2, 3)).softmax(-1)
    context_RHTD, xi = attention_RHTT @ value, xi[:, :, None, None]
    standing = replacement.contexts(slice(0, len(x)), value)
    if standing is not None:
        standing = standing.detach()[:, :, : x.shape[1]]
    gated = replaced(context_RHTD, xi, standing).transpose(1, 2).flatten(2)
    x = layer.attention_norm(x + _product(layer.out, gated))
    return layer.output_norm(x + _product(layer.down, _product(layer.up, x)))


def _product(linear: Linear, x: Tensor) -> Tensor:
    """A product that can go back."""
    y = functional.linear(x, linear.weight, linear.bias)
    if linear.activation == "relu":
        return y.relu()
    return PLAIN[linear.activation](y) if linear.activation else y
