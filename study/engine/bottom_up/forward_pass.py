"""One forward pass for all masks, bottom-up: a batch of (mask, example) rows that grows layer by layer.

A mask's rows join at the first layer that it changes, so nothing below is done twice; masks that agree up to a layer
share their rows up to there. Within a layer queries, keys, values and contexts are computed once for each row below
it, and from the context each mask takes the heads that it leaves on. The examples of a block have equal length: no
padding, no attention mask. In the last layer only the first token is computed.
"""

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional

from study.engine.growth import SEVERAL, Growth, RowPlan
from study.engine.weights.classifier import ClassifierLayer, ClassifierWeights
from study.engine.weights.linear import Linear
from study.subjects.subject import to_device

STEP = 64
"""Products are of a multiple of so many tokens: libraries make a kernel for every number of rows that they meet."""


class BottomUpPass:
    """The shared forward pass of one classifier.

    Attributes:
        weights: weights of the classifier.
        product_tokens: how many tokens are computed at a time; what they need should stay in the processor's cache.
    """

    def __init__(self, weights: ClassifierWeights, product_tokens: int) -> None:
        self.weights, self.product_tokens = weights, _stepped(product_tokens)

    @torch.inference_mode()
    def logits(
        self, ids: Int[Tensor, "E T"], segments: Int[Tensor, "E T"] | None, plan: RowPlan
    ) -> Float[Tensor, "P C"]:
        """Logits of each pair of a plan for examples on the model's device, with segments where the model has such."""
        used = _tensor(plan.examples, ids)
        hidden_RTd = self.weights.embed(ids[used], None if segments is None else segments[used])
        length, width = hidden_RTd.shape[1:]
        x = self._room(len(used) * length, hidden_RTd)
        x[: len(used) * length] = hidden_RTd.reshape(-1, width)
        *lower, last = zip(self.weights.layers, plan.layers, strict=True)
        for layer, growth in lower:
            x = self._layer(layer, growth, x, length)
        return self.weights.head(self._last_layer(*last, x, length))[_tensor(plan.row, ids)].float()

    def _layer(
        self, layer: ClassifierLayer, growth: Growth, x: Float[Tensor, "room_before d"], length: int
    ) -> Float[Tensor, "room_after d"]:
        """All tokens of all rows through a layer; `x` and what comes out are rows x tokens, with room behind them."""
        num_rows, num_children = len(growth.first_child) - 1, len(growth.parent)
        y = self._room(num_children * length, x)
        at_once = max(1, self.product_tokens // length)
        for first in range(0, num_rows, at_once):
            parents = slice(first, min(first + at_once, num_rows))
            context_RHTD = self._contexts(layer, x, parents, length)
            all_RTd = layer.out(_side_by_side(context_RHTD))[: len(context_RHTD) * length].unflatten(0, (-1, length))
            residual_RTd = x[first * length : parents.stop * length].view(-1, length, x.shape[1])
            children = slice(int(growth.first_child[first]), int(growth.first_child[parents.stop]))
            out = all_RTd
            if not growth.is_unchanged(children, parents):
                parent = _tensor(growth.parent[children] - first, x)
                out = _outputs(layer, growth, children, context_RHTD, all_RTd.float(), parent)
                residual_RTd = residual_RTd.index_select(0, parent)
            y_NTd = y[children.start * length : children.stop * length].view(-1, length, x.shape[1])
            y_NTd.copy_(layer.attention_norm(residual_RTd + out))
        for start in range(0, num_children * length, self.product_tokens):
            piece = y[start : min(start + self.product_tokens, _stepped(num_children * length))]
            piece.copy_(layer.output_norm(piece + layer.down(layer.up(_as(piece, layer.up)))))
        return y

    def _contexts(
        self, layer: ClassifierLayer, x: Float[Tensor, "room d"], rows: slice, length: int
    ) -> Float[Tensor, "R H T D"]:
        """What the output projection reads: for each head and token an average of the head's values."""
        num_rows, first = rows.stop - rows.start, rows.start * length
        qkv = layer.qkv(_as(x[first : first + _stepped(num_rows * length)], layer.qkv))[: num_rows * length]
        query, key, value = qkv.view(num_rows, length, 3, layer.num_heads, layer.head_size).permute(2, 0, 3, 1, 4)
        if x.is_cuda:
            return functional.scaled_dot_product_attention(query, key, value, scale=1.0)
        # at these lengths plain products are faster on a CPU than the fused kernel
        query, key, value = (part.flatten(0, 1) for part in (query, key, value))
        attention = torch.bmm(query, key.transpose(1, 2)).float().softmax(-1).to(value.dtype)
        return torch.bmm(attention, value).unflatten(0, (num_rows, layer.num_heads))

    def _last_layer(
        self, layer: ClassifierLayer, growth: Growth, x: Float[Tensor, "room d"], length: int
    ) -> Float[Tensor, "N d"]:
        """The first token of every row through the last layer.

        q'(W_k x_t) = (W_k' q)'x_t, and the weighted sum of values is the value of the weighted sum: no key and no value
        of a token is ever computed.
        """
        num_rows = len(growth.first_child) - 1
        x_RTd = x[: num_rows * length].view(num_rows, length, -1)
        first_Rd = x_RTd[:, 0]
        query_HRD = layer.query(first_Rd).view(num_rows, layer.num_heads, -1).transpose(0, 1)
        looked_for_RHd = torch.bmm(query_HRD, layer.key_weight).transpose(0, 1)
        attention_RHT = torch.bmm(looked_for_RHd, x_RTd.transpose(1, 2)).softmax(-1)
        seen_HRd = torch.bmm(attention_RHT, x_RTd).transpose(0, 1)
        context_RHD = (torch.bmm(seen_HRd, layer.value_weight.transpose(1, 2)) + layer.value_bias).transpose(0, 1)
        parent = _tensor(growth.parent, x)
        on_NH1 = _tensor(growth.on, x).to(x.dtype)[:, :, None]
        out_Nd = layer.out(_as((context_RHD[parent] * on_NH1).flatten(1), layer.out))
        y_Nd = layer.attention_norm(first_Rd[parent] + out_Nd)
        return layer.output_norm(y_Nd + layer.down(layer.up(_as(y_Nd, layer.up))))

    def _room(self, tokens: int, like: Tensor) -> Float[Tensor, "room d"]:
        """Rows for so many tokens, and room behind them so that any product may take a multiple of `STEP`."""
        return like.new_empty(_stepped(tokens) + STEP, self.weights.width)


def _outputs(
    layer: ClassifierLayer,
    growth: Growth,
    children: slice,
    context: Float[Tensor, "R H T D"],
    all_on: Float[Tensor, "R T d"],
    parent: Int[Tensor, " N"],
) -> Float[Tensor, "N T d"]:
    """What the attention adds to each child.

    One head off: the output of all heads less that of the one. One head left: its output and the bias. The heads of any
    other child are gated and projected.
    """
    out_NTd = all_on.index_select(0, parent)
    off, alone = growth.off[children], growth.alone[children]
    for head_N in (off, alone):
        chosen = np.flatnonzero(head_N >= 0)
        if len(chosen):
            rows = _tensor(chosen, parent)
            head = _tensor(head_N[chosen], parent)
            one_NTD = context.flatten(0, 1).index_select(0, parent[rows] * layer.num_heads + head)
            part_NTd = torch.bmm(one_NTD, layer.out_by_head.index_select(0, head)).float()
            if head_N is off:
                out_NTd.index_add_(0, rows, part_NTd, alpha=-1)
            else:
                out_NTd.index_copy_(0, rows, part_NTd + layer.out_bias)
    other = np.flatnonzero((off == SEVERAL) & (alone < 0))
    if len(other):
        rows = _tensor(other, parent)
        on_NH = _tensor(growth.on[children][other], parent).to(context.dtype)
        gated_NHTD = context.index_select(0, parent[rows]).mul_(on_NH[:, :, None, None])
        projected = layer.out(_side_by_side(gated_NHTD)).float()
        out_NTd.index_copy_(0, rows, projected[: len(other) * context.shape[2]].unflatten(0, (len(other), -1)))
    return out_NTd


def _side_by_side(context: Float[Tensor, "R H T D"]) -> Float[Tensor, "room context"]:
    """The heads of each token one after the other, with room behind the tokens that holds anything."""
    num_rows, num_heads, length, size = context.shape
    laid = context.new_empty(_stepped(num_rows * length), num_heads * size)
    laid[: num_rows * length].view(num_rows, length, num_heads, size).copy_(context.transpose(1, 2))
    return laid


def _stepped(tokens: int) -> int:
    """The next multiple of `STEP`."""
    return -(-tokens // STEP) * STEP


def _as(x: Tensor, linear: Linear) -> Tensor:
    """In the type of a product's weights."""
    return x.to(linear.weight.dtype)


def _tensor(array: np.ndarray, like: Tensor) -> Tensor:
    """An array where another tensor is."""
    return to_device(torch.from_numpy(array), like.device)
