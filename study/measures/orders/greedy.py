"""Orders that grow while they are measured: each step depends on what came out under the mask of the one before.

Both are walked along what is stored, as far as it goes; where it ends, the masks that are asked for next are known.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
from jaxtyping import Bool, Float

from study.record.heads import Head, HeadLayout, stack
from study.record.orders import keep_one_a_layer, least_first
from study.record.parts import Table
from study.record.scores import Stored

Estimate = Callable[[pl.DataFrame, Bool[np.ndarray, " heads"]], Float[np.ndarray, " heads"]]
"""Importance of the heads from gradient rows under a mask."""


@dataclass(frozen=True)
class Walk:
    """How far an order has come.

    Attributes:
        order: heads removed so far, the first to go first.
        masks: whose outcomes decided so far and decide next.
        gradients: whose gradients did and do.
        later: at most how many more masks will be asked for.
        later_gradients: likewise gradients.
        complete: whether the order has come to its end.
    """

    order: list[Head]
    masks: Bool[np.ndarray, "masks heads"]
    gradients: Bool[np.ndarray, "gradients heads"]
    later: int = 0
    later_gradients: int = 0
    complete: bool = True


def oracle(stored: Stored, heads: Sequence[Head], *, allow_empty_layers: bool) -> Walk:
    """Greedy: each step removes the head without which the score is highest, measured; the first of equals.

    n heads take n (n + 1) / 2 masks.
    """
    layout, order, asked = stored.layout, list[Head](), list[Bool[np.ndarray, " heads"]]()
    while candidates := _removable(order, heads, layout, allow_empty_layers):
        masks = layout.each_off(candidates) & layout.without(order)
        asked += list(masks)
        if stored.lacks(masks):
            return Walk(order, stack(asked, layout), stack([], layout), sum(range(len(candidates))), complete=False)
        order.append(candidates[int(np.argmax(stored.scores(masks)))])
    return Walk(order, stack(asked, layout), stack([], layout))


def reestimated(
    stored: Stored, heads: Sequence[Head], removed: Sequence[int], estimate: Estimate, *, allow_empty_layers: bool
) -> Walk:
    """At each step the heads of least importance go, estimated under the mask that the steps before have left.

    Args:
        stored: what is known.
        heads: those that may go.
        removed: how many are gone after each step, from 0 on.
        estimate: importance from gradient rows.
        allow_empty_layers: False keeps a head in each attention layer.
    """
    layout, order, masks = stored.layout, list[Head](), [stored.layout.full()]
    for place, count in enumerate(removed[1:], start=1):
        if stored.lacks(masks[-1][None], Table.gradients(stored.loss)):
            left = len(removed) - place
            return Walk(order, stack(masks, layout), stack(masks, layout), left, left - 1, complete=False)
        values = estimate(stored.gradient_rows(masks[-1]), masks[-1])
        rest = [*order, *least_first(values, layout, [head for head in heads if head not in order])]
        order = (rest if allow_empty_layers else keep_one_a_layer(rest, layout))[:count]
        masks.append(layout.without(order))
    return Walk(order, stack(masks, layout), stack(masks[:-1], layout))


def _removable(order: list[Head], heads: Sequence[Head], layout: HeadLayout, allow_empty_layers: bool) -> list[Head]:
    """The heads that may go next."""
    left = [head for head in heads if head not in order]
    if allow_empty_layers:
        return left
    return [head for head in left if keep_one_a_layer([*order, head], layout) == [*order, head]]
