"""One forward pass for all masks, bottom-up: a batch of (mask, example) rows that grows layer by layer.

A mask's rows join at the first layer that it changes, so nothing below is done twice; masks that agree up to a layer
share their rows up to there. Within a layer queries, keys, values and contexts are computed once for each row below
it, and from the context each mask takes the heads that it leaves on (`outputs`). The examples of a block have equal
length: no padding, no attention mask. In the last layer only the first token is computed.
"""

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional

from study.engine.bottom_up.outputs import STEP, attention_outputs, side_by_side, stepped
from study.engine.bottom_up.replaced import LayerReplacement
from study.engine.growth import Growth, RowPlan
from study.engine.weights.classifier import ClassifierLayer, ClassifierWeights
from study.engine.weights.linear import Linear
from study.masking.stand_ins import StandIn
from study.subjects.subject import to_device


class BottomUpPass:
    """The shared forward pass of one classifier.

    Attributes:
        weights: weights of the classifier.
        product_tokens: how many tokens are computed at a time; what they need should stay in the processor's cache.
    """

    def __init__(self, weights: ClassifierWeights, product_tokens: int) -> None:
        self.weights, self.product_tokens = weights, stepped(product_tokens)

    @torch.inference_mode()
    def logits(
        self, ids: Int[Tensor, "E T"], segments: Int[Tensor, "E T"] | None, plan: RowPlan, stand_in: StandIn
    ) -> Float[Tensor, "P C"]:
        """Logits of each pair of a plan.

        Args:
            ids: the examples, on the model's device.
            segments: the segment of each token, where the model has such.
            plan: how rows grow.
            stand_in: what stands in the place of heads that are off, in these examples.
        """
        used = _tensor(plan.examples, ids)
        hidden_RTd = self.weights.embed(ids[used], None if segments is None else segments[used])
        length, width = hidden_RTd.shape[1:]
        x = self._room(len(used) * length, hidden_RTd)
        x[: len(used) * length] = hidden_RTd.reshape(-1, width)
        example_R = plan.examples
        for number, (layer, growth) in enumerate(zip(self.weights.layers[:-1], plan.layers, strict=False)):
            x = self._layer(layer, growth, x, length, LayerReplacement(stand_in, number, example_R))
            example_R = example_R[growth.parent]
        last = LayerReplacement(stand_in, len(plan.layers) - 1, example_R)
        y_Nd = self._last_layer(self.weights.layers[-1], plan.layers[-1], x, length, last)
        return self.weights.head(y_Nd)[_tensor(plan.row, ids)].float()

    def _layer(
        self,
        layer: ClassifierLayer,
        growth: Growth,
        x: Float[Tensor, "room_before d"],
        length: int,
        replacement: LayerReplacement,
    ) -> Float[Tensor, "room_after d"]:
        """All tokens of all rows through a layer; `x` and what comes out are rows x tokens, with room behind them."""
        num_rows, num_children = len(growth.first_child) - 1, len(growth.parent)
        y = self._room(num_children * length, x)
        at_once = max(1, self.product_tokens // length)
        for first in range(0, num_rows, at_once):
            parents = slice(first, min(first + at_once, num_rows))
            context_RHTD, value_RHTD = self._contexts(layer, x, parents, length)
            all_RTd = layer.out(side_by_side(context_RHTD))[: len(context_RHTD) * length].unflatten(0, (-1, length))
            residual_RTd = x[first * length : parents.stop * length].view(-1, length, x.shape[1])
            children = slice(int(growth.first_child[first]), int(growth.first_child[parents.stop]))
            out = all_RTd
            if not growth.is_unchanged(children, parents):
                parent = _tensor(growth.parent[children] - first, x)
                standing = replacement.contexts(parents, value_RHTD)
                out = attention_outputs(layer, growth, children, context_RHTD, all_RTd.float(), parent, standing)
                residual_RTd = residual_RTd.index_select(0, parent)
            y_NTd = y[children.start * length : children.stop * length].view(-1, length, x.shape[1])
            y_NTd.copy_(layer.attention_norm(residual_RTd + out))
        for start in range(0, num_children * length, self.product_tokens):
            piece = y[start : min(start + self.product_tokens, stepped(num_children * length))]
            piece.copy_(layer.output_norm(piece + layer.down(layer.up(_as(piece, layer.up)))))
        return y

    def _contexts(
        self, layer: ClassifierLayer, x: Float[Tensor, "room d"], rows: slice, length: int
    ) -> tuple[Float[Tensor, "R H T D"], Float[Tensor, "R H T D"]]:
        """What the output projection reads, for each head and token an average of the head's values; and these."""
        num_rows, first = rows.stop - rows.start, rows.start * length
        qkv = layer.qkv(_as(x[first : first + stepped(num_rows * length)], layer.qkv))[: num_rows * length]
        query, key, value = qkv.view(num_rows, length, 3, layer.num_heads, layer.head_size).permute(2, 0, 3, 1, 4)
        if _fused_attention_pays(x):
            return functional.scaled_dot_product_attention(query, key, value, scale=1.0), value
        query, key, flat = (part.flatten(0, 1) for part in (query, key, value))
        attention = torch.bmm(query, key.transpose(1, 2)).float().softmax(-1).to(value.dtype)
        return torch.bmm(attention, flat).unflatten(0, (num_rows, layer.num_heads)), value

    def _last_layer(
        self,
        layer: ClassifierLayer,
        growth: Growth,
        x: Float[Tensor, "room d"],
        length: int,
        replacement: LayerReplacement,
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
        context_RHD = layer.values(seen_HRd)
        parent = _tensor(growth.parent, x)
        on_NH1 = _tensor(growth.on, x).to(x.dtype)[:, :, None]
        gated_NHD = context_RHD[parent] * on_NH1
        changed = np.flatnonzero(~growth.on.all(1))
        standing = replacement.first_contexts(growth.parent[changed], layer, x_RTd) if len(changed) else None
        if standing is not None:
            rows = _tensor(changed, parent)
            gated_NHD.index_add_(0, rows, (1 - on_NH1[rows]) * standing)
        out_Nd = layer.out(_as(gated_NHD.flatten(1), layer.out))
        y_Nd = layer.attention_norm(first_Rd[parent] + out_Nd)
        return layer.output_norm(y_Nd + layer.down(layer.up(_as(y_Nd, layer.up))))

    def _room(self, tokens: int, like: Tensor) -> Float[Tensor, "room d"]:
        """Rows for so many tokens, and room behind them so that any product may take a multiple of `STEP`."""
        return like.new_empty(stepped(tokens) + STEP, self.weights.width)


def _fused_attention_pays(x: Tensor) -> bool:
    """Not on a CPU, where plain products are the faster at these lengths."""
    return x.is_cuda


def _as(x: Tensor, linear: Linear) -> Tensor:
    """In the type of a product's weights."""
    return x.to(linear.weight.dtype)


def _tensor(array: np.ndarray, like: Tensor) -> Tensor:
    """An array where another tensor is."""
    return to_device(torch.from_numpy(array), like.device)
