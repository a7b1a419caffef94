"""Random orders: the band of curves that an order should beat."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from study.measures.measure import MaskRequest
from study.measures.orders.order import Order, Removal
from study.record.errors import InputError

if TYPE_CHECKING:
    from study.engine.evaluator import Evaluator


@dataclass(kw_only=True)
class RandomOrder(Order):
    """Heads in a random order.

    Attributes:
        seeds: number of orders, from seed 0 on, a curve each.
    """

    name: str = "random"
    seeds: int = 3

    def check(self, removal: Removal) -> None:
        """Refuse fewer than one order."""
        if self.seeds < 1:
            raise InputError(f"measure.seeds={self.seeds}: at least one random order is needed")

    def request(self, removal: Removal, evaluator: "Evaluator") -> MaskRequest:
        """All curves at once."""
        shuffled = (np.random.default_rng(seed).permutation(len(removal.heads)) for seed in range(self.seeds))
        orders = ([removal.heads[place] for place in places] for places in shuffled)
        options = self.options(removal)
        return removal.complete(
            *(removal.curve(self.name, order, {**options, "seed": seed}) for seed, order in enumerate(orders))
        )
