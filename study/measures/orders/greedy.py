"""Greedy searches: orders each step of which depends on what came out under the mask of the steps before.

Both walk along what is stored, as far as it goes; where it ends, the masks that are asked for next are known.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from study.measures.measure import MaskRequest
from study.measures.orders.order import Mask, Order, Removal
from study.measures.orders.ranking import EstimatingOrder
from study.record.errors import InputError
from study.record.orders import least_first
from study.record.scores import StoredRows
from study.record.tables import Gradients
from study.record.units import Unit, stack

if TYPE_CHECKING:
    from study.engine.evaluator import Evaluator


def _stored(removal: Removal, evaluator: "Evaluator", order: str) -> StoredRows:
    """What is stored of all examples; a job with a share of them is refused by an InputError."""
    if len(evaluator.examples) < len(evaluator.whole):
        raise InputError(f"order={order} decides by all examples as it goes: run it without shards")
    return evaluator.stored(removal.loss)


@dataclass(kw_only=True)
class OracleOrder(Order):
    """At each step the unit without which the score is highest goes, measured; the first of equals.

    n units take n (n + 1) / 2 masks.
    """

    name: str = "oracle"

    def request(self, removal: Removal, evaluator: "Evaluator") -> MaskRequest:
        """See the contract."""
        stored = _stored(removal, evaluator, self.name)
        layout, order, masks = removal.layout, list[Unit](), list[Mask]()
        while candidates := [
            unit for unit in removal.units if unit not in order and removal.removable([*order, unit]) == [*order, unit]
        ]:
            next_masks = stack([layout.without([*order, unit]) for unit in candidates], layout)
            masks += list(next_masks)
            if stored.lacks(next_masks):
                return MaskRequest(stack(masks, layout), later=sum(range(len(candidates))), complete=False)
            order.append(candidates[int(np.argmax(stored.scores(next_masks)))])
        return removal.points(self.curve(removal, order, self.options(removal), len(stored.examples)), masks=masks)


@dataclass(kw_only=True)
class ReestimatedOrder(EstimatingOrder):
    """At each step the units of least importance go, estimated under the mask that the steps before have left."""

    takes_steps: ClassVar[bool] = True

    name: str = "reestimated"

    def request(self, removal: Removal, evaluator: "Evaluator") -> MaskRequest:
        """See the contract."""
        stored = _stored(removal, evaluator, self.name)
        layout, order, masks = removal.layout, list[Unit](), [removal.layout.full()]
        for point, count in enumerate(removal.counts[1:], start=1):
            if stored.lacks(masks[-1][None], Gradients(removal.loss)):
                asked, left = stack(masks, layout), len(removal.counts) - point
                return MaskRequest(asked, asked, removal.loss, left, left - 1, complete=False)
            values = self.importance(stored.gradient_rows(masks[-1]), removal, masks[-1])
            rest = (unit for unit in least_first(values, removal.units) if unit not in order)
            order = removal.removable([*order, *rest])[:count]
            masks.append(layout.without(order))
        curve = self.curve(removal, order, self.options(removal), len(stored.examples))
        return removal.points(curve, masks=masks, gradients=masks[:-1])
