"""Random orders: the band of curves that an order should beat."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from study.measures.orders.order import Order, Removal
from study.record.curves import Curve
from study.record.errors import InputError


@dataclass(kw_only=True)
class RandomOrder(Order):
    """Units in a random order.

    Attributes:
        seeds: number of orders, from seed 0 on, a curve each.
    """

    name: str = "random"
    seeds: int = 3

    def check(self, removal: Removal) -> None:
        """Refuse fewer than one order."""
        if self.seeds < 1:
            raise InputError(f"measure.seeds={self.seeds}: at least one random order is needed")

    def curves(self, removal: Removal) -> Sequence[Curve]:
        """A curve for each seed."""
        shuffled = [np.random.default_rng(seed).permutation(len(removal.units)) for seed in range(self.seeds)]
        return [
            self.curve(removal, [removal.units[i] for i in places], {**self.options(removal), "seed": seed})
            for seed, places in enumerate(shuffled)
        ]
