"""One upward pass for all masks: a batch of (mask, example) rows that grows layer by layer.

A mask's rows join at the first layer that it changes, so nothing below is done twice; masks that agree up to a layer
share their rows up to there. Within a layer queries, keys, values and contexts are computed once for each row below
it, and from the context each mask takes the heads that it leaves on. The examples of a block have equal length: no
padding, no attention mask. In the last layer only the first token is computed.

Shapes: E examples of T tokens, R rows before a layer and N after it, H heads, D size of a head, d width, C classes,
P pairs of mask and example.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.nn import functional

from study.engine.encoder import EncoderLayer, SplitEncoder
from study.engine.linear import Linear
from study.engine.prefixes import forward_order, prefix_classes
from study.heads import HeadLayout

SMALLEST_PIECE = 64
"""Products are of this many tokens or a power of two more: libraries make a kernel for every number of rows."""


@dataclass(frozen=True)
class Growth:
    """How the rows grow in one layer.

    Attributes:
        parent: the row before the layer that each row after it comes from; ascending.
        first_child: the first row after the layer of each row before it, and at the end the number of rows after it.
        on: the layer's heads that each row after it leaves on.
        all_on: whether all are left on in each row.
    """

    parent: Int[np.ndarray, " N"]
    first_child: Int[np.ndarray, " rows_and_one"]
    on: Bool[np.ndarray, "N H"]
    all_on: Bool[np.ndarray, " N"]


@dataclass(frozen=True)
class Plan:
    """What an upward pass computes.

    Attributes:
        examples: the example of each row before the first layer.
        growth: for each layer.
        row: for each pair its row after the last layer.
    """

    examples: Int[np.ndarray, " R"]
    growth: Sequence[Growth]
    row: Int[np.ndarray, " P"]

    @property
    def most_rows(self) -> int:
        """Rows at the widest place."""
        return max(len(self.row), *(len(growth.parent) for growth in self.growth))


def plan(
    masks: Bool[np.ndarray, "masks heads"], wanted: Bool[np.ndarray, "masks examples"], layout: HeadLayout
) -> Plan:
    """Sort pairs of mask and example into rows.

    Args:
        masks: boolean rows in the order of `layout.heads`.
        wanted: the pairs; in a plan they stand in the order of `np.argwhere(wanted)`.
        layout: the heads.
    """
    order = forward_order(layout)
    classes = prefix_classes(masks, layout, order)
    mask_P, example_P = np.nonzero(wanted)
    examples, row_P = np.unique(example_P, return_inverse=True)
    num_rows, growth = len(examples), []
    for layer, class_M in zip(order, classes[1:], strict=True):
        key_P = row_P * (class_M.max(initial=0) + 1) + class_M[mask_P]
        key_N, first_N, row_P = np.unique(key_P, return_index=True, return_inverse=True)
        parent_N = key_N // (class_M.max(initial=0) + 1)
        on_NH = masks[mask_P[first_N], layout.columns(*layer)]
        growth.append(
            Growth(parent_N, np.searchsorted(parent_N, np.arange(num_rows + 1)), on_NH, np.all(on_NH, axis=1))
        )
        num_rows = len(key_N)
    return Plan(examples, growth, row_P)


class UpwardPass:
    """The shared forward pass of one classifier.

    Attributes:
        encoder: the classifier in parts.
        layout: its heads.
        tokens_at_once: how many tokens are computed at a time; what they need should stay in the processor's cache.
    """

    def __init__(self, encoder: SplitEncoder, layout: HeadLayout, tokens_at_once: int) -> None:
        self.encoder, self.layout = encoder, layout
        self.tokens_at_once = max(tokens_at_once, SMALLEST_PIECE)

    @torch.inference_mode()
    def logits(self, ids: Int[Tensor, "E T"], segments: Int[Tensor, "E T"] | None, plan: Plan) -> Float[Tensor, "P C"]:
        """Logits of each pair of a plan.

        Args:
            ids: token ids of the block's examples, on the model's device.
            segments: of each token, where the model has such.
            plan: over these examples.
        """
        used = torch.from_numpy(plan.examples).to(ids.device)
        hidden_RTd = self.encoder.embed(ids[used], None if segments is None else segments[used])
        length, width = hidden_RTd.shape[1:]
        x = self._room(len(used) * length, hidden_RTd)
        x[: len(used) * length] = hidden_RTd.reshape(-1, width)
        *lower, last = zip(self.encoder.layers, plan.growth, strict=True)
        for layer, growth in lower:
            x = self._layer(layer, growth, x, length)
        first_Nd = self._last_layer(*last, x, length)
        return self.encoder.head(first_Nd)[torch.from_numpy(plan.row).to(ids.device)].float()

    def _layer(self, layer: EncoderLayer, growth: Growth, x: Tensor, length: int) -> Tensor:
        """All tokens of all rows through a layer; `x` and what comes out are rows x tokens, with room behind them."""
        num_children = len(growth.parent)
        y = self._room(num_children * length, x)
        at_once = max(1, self.tokens_at_once // length)
        for first in range(0, len(growth.first_child) - 1, at_once):
            last = min(first + at_once, len(growth.first_child) - 1)
            tokens = slice(first * length, last * length)
            context_RTHD = self._contexts(layer, x, tokens, length)
            children = growth.first_child[first], growth.first_child[last]
            for start in range(*children, at_once):
                some = slice(start, min(start + at_once, children[1]))
                residual_Nd = x[tokens]
                gated = context_RTHD
                if not _unchanged(growth, some, first, last):
                    parent = torch.from_numpy(growth.parent[some] - first).to(x.device)
                    residual_Nd = residual_Nd.view(-1, length, residual_Nd.shape[1])[parent].flatten(0, 1)
                    gated = context_RTHD[parent]
                    if not growth.all_on[some].all():
                        on = torch.from_numpy(growth.on[some]).to(x.device, gated.dtype)
                        gated *= on[:, None, :, None]
                out = layer.out(gated.reshape(len(residual_Nd), -1))
                y[some.start * length : some.stop * length] = layer.attention_norm(residual_Nd + out)
        for piece in self._pieces(0, num_children * length):
            y[piece] = layer.output_norm(y[piece] + layer.down(layer.up(_as(y[piece], layer.up))))
        return y

    def _contexts(self, layer: EncoderLayer, x: Tensor, tokens: slice, length: int) -> Float[Tensor, "R T H D"]:
        qkv = layer.qkv(_as(x[tokens], layer.qkv))
        qkv_3RHTD = qkv.view(-1, length, 3, layer.num_heads, qkv.shape[1] // (3 * layer.num_heads)).permute(
            2, 0, 3, 1, 4
        )
        if x.is_cuda:
            query, key, value = qkv_3RHTD
            return functional.scaled_dot_product_attention(query, key, value, scale=1.0).transpose(1, 2)
        query, key, value = qkv_3RHTD.flatten(1, 2)  # at these lengths plain products beat the fused kernel on a CPU
        context = torch.bmm(torch.bmm(query, key.transpose(1, 2)).softmax(-1), value)
        return context.unflatten(0, (-1, layer.num_heads)).transpose(1, 2)

    def _last_layer(self, layer: EncoderLayer, growth: Growth, x: Tensor, length: int) -> Float[Tensor, "N d"]:
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
        parent = torch.from_numpy(growth.parent).to(x.device)
        on_NH1 = torch.from_numpy(growth.on).to(x.device, x.dtype)[:, :, None]
        out_Nd = layer.out(_as((context_RHD[parent] * on_NH1).flatten(1), layer.out))
        y_Nd = layer.attention_norm(first_Rd[parent] + out_Nd)
        return layer.output_norm(y_Nd + layer.down(layer.up(_as(y_Nd, layer.up))))

    def _room(self, tokens: int, like: Tensor) -> Float[Tensor, "tokens d"]:
        """Rows for so many tokens, and room behind them for the last piece to end in."""
        return like.new_empty(tokens + SMALLEST_PIECE, self.encoder.width)

    def _pieces(self, start: int, stop: int) -> Iterator[slice]:
        """Cut tokens into few different numbers of rows; the last piece may reach into the room behind them."""
        size = self.tokens_at_once
        while start < stop:
            while size > SMALLEST_PIECE and start + size > stop:
                size //= 2
            yield slice(start, start + size)
            start += size


def _unchanged(growth: Growth, some: slice, first: int, last: int) -> bool:
    """Whether these rows after a layer are the rows [first, last) before it, with all heads on."""
    children = growth.parent[some]
    return len(children) == last - first and bool(growth.all_on[some].all()) and len(set(children)) == len(children)


def _as(x: Tensor, linear: Linear) -> Tensor:
    """In the type of a product's weights."""
    return x.to(linear.weight.dtype)
