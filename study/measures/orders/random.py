"""Random orders: the band of curves that an order should beat."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from study.measures.orders.order import Order, Removal
from study.record.curves import Curve
from study.record.errors import InputError


@dataclass(kw_only=True)
class RandomOrder(Order):
    """Units in a random order.

    Attributes:
        seeds: number of orders, a curve each.
        first_seed: seed of the first of them; the others have those that follow.
    """

    takes_examples: ClassVar[bool] = False
    takes_seed: ClassVar[bool] = True

    name: str = "random"
    seeds: int = 3
    first_seed: int = 0

    def check(self, removal: Removal) -> None:
        """Refuse fewer than one order, and a seed that is none."""
        if self.first_seed < 0:
            raise InputError(f"measure.first_seed={self.first_seed}: a seed is 0 or more")
        if self.seeds < 1:
            raise InputError(f"measure.seeds={self.seeds}: at least one random order is needed")

    def curves(self, removal: Removal) -> Sequence[Curve]:
        """A curve for each seed."""
        seeds, number = range(self.first_seed, self.first_seed + self.seeds), len(removal.units)
        shuffled = {seed: np.random.default_rng(seed).permutation(number) for seed in seeds}
        return [
            self.curve(removal, [removal.units[i] for i in places], {**self.options(removal), "seed": seed})
            for seed, places in shuffled.items()
        ]
