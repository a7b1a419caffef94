"""What an attention layer adds to rows that take some of its heads, from contexts that they share.

What stands in the place of heads that are off (`standing`, None where that is zero) is of the rows that they come from,
or the same for all, and the same at all tokens where it has but one.
"""

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from study.engine.growth import SEVERAL, Growth
from study.engine.weights.classifier import ClassifierLayer
from study.subjects.subject import to_device

STEP = 64
"""Products are of a multiple of so many tokens: libraries make a kernel for every number of rows that they meet."""

Standing = Float[Tensor, "#R H #T D"]
"""What stands for the contexts of heads that are off."""


def attention_outputs(
    layer: ClassifierLayer,
    growth: Growth,
    children: slice,
    context: Float[Tensor, "R H T D"],
    all_on: Float[Tensor, "R T d"],
    parent: Int[Tensor, " N"],
    standing: Standing | None,
) -> Float[Tensor, "N T d"]:
    """What the attention adds to each child.

    One or two heads off: the output of all heads, less that of these, and that of what stands for them. One head left:
    its output, that of what stands for the others, and the bias. The heads of any other child are gated and projected.
    """
    out_NTd = all_on.index_select(0, parent)
    off, both, alone = growth.off[children], growth.both_off[children], growth.alone[children]
    for heads_NK in (off[:, None], both):
        if len(chosen := np.flatnonzero(heads_NK[:, 0] >= 0)):
            rows, heads = _tensor(chosen, parent), _tensor(heads_NK[chosen], parent)
            out_NTd.index_add_(0, rows, _some_heads(layer, context, standing, parent[rows], heads), alpha=-1)
    if len(chosen := np.flatnonzero((alone >= 0) & (both[:, 0] < 0))):
        rows, heads = _tensor(chosen, parent), _tensor(alone[chosen, None], parent)
        part_NTd = _some_heads(layer, context, standing, parent[rows], heads)
        out_NTd.index_copy_(0, rows, part_NTd + _without_heads(layer, standing, parent[rows]))
    other = np.flatnonzero((off == SEVERAL) & (both[:, 0] < 0) & (alone < 0))
    if len(other):
        rows = _tensor(other, parent)
        on_NH11 = _tensor(growth.on[children][other], parent).to(context.dtype)[:, :, None, None]
        gated_NHTD = context.index_select(0, parent[rows]).mul_(on_NH11)
        if standing is not None:
            gated_NHTD += (1 - on_NH11) * _row_numbers(standing, parent[rows])
        projected = layer.out(side_by_side(gated_NHTD)).float()
        out_NTd.index_copy_(0, rows, projected[: len(other) * context.shape[2]].unflatten(0, (len(other), -1)))
    return out_NTd


def _some_heads(
    layer: ClassifierLayer,
    context: Float[Tensor, "R H T D"],
    standing: Standing | None,
    row: Int[Tensor, " n"],
    heads: Int[Tensor, "n K"],
) -> Float[Tensor, "n T d"]:
    """What the projection gives of some heads of rows, less what it gives of what stands for them."""
    some_nTC = _side_by_side(context, row, heads)
    if standing is not None:
        some_nTC = some_nTC - _side_by_side(standing, row, heads)
    return torch.bmm(some_nTC, layer.out_by_head[heads].flatten(1, 2)).float()


def _side_by_side(
    numbers: Float[Tensor, "R H T D"], row: Int[Tensor, " n"], heads: Int[Tensor, "n K"]
) -> Float[Tensor, "n T K*D"]:
    """Some heads of some rows, or of the one row that stands for all, one after the other."""
    place = heads if len(numbers) == 1 else row[:, None] * numbers.shape[1] + heads
    chosen = numbers.flatten(0, 1).index_select(0, place.flatten())
    if heads.shape[1] == 1:
        return chosen
    return chosen.unflatten(0, heads.shape).transpose(1, 2).flatten(2)


def _row_numbers(standing: Standing, row: Int[Tensor, " n"]) -> Float[Tensor, "#n H #T D"]:
    return standing if len(standing) == 1 else standing.index_select(0, row)


def _without_heads(
    layer: ClassifierLayer, standing: Standing | None, row: Int[Tensor, " n"]
) -> Float[Tensor, "#n #T d"]:
    """What the projection gives of what stands for all heads."""
    if standing is None:
        return layer.out_bias[None, None]
    return torch.einsum("rhtc,hcd->rtd", _row_numbers(standing, row), layer.out_by_head).float() + layer.out_bias


def side_by_side(context: Float[Tensor, "R H T D"]) -> Float[Tensor, "room context"]:
    """The heads of each token one after the other, with room behind the tokens that holds anything."""
    num_rows, num_heads, length, size = context.shape
    laid = context.new_empty(stepped(num_rows * length), num_heads * size)
    laid[: num_rows * length].view(num_rows, length, num_heads, size).copy_(context.transpose(1, 2))
    return laid


def stepped(tokens: int) -> int:
    """The next multiple of `STEP`."""
    return -(-tokens // STEP) * STEP


def _tensor(array: np.ndarray, like: Tensor) -> Tensor:
    """An array where another tensor is."""
    return to_device(torch.from_numpy(array), like.device)
