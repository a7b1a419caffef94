"""Tangents: what an example comes to with every unit on, and how that changes with each unit's gate.

Under a mask the values are, to first order, f(1) - sum over units off of df/dxi_h, where the gate gives
xi_h c_h + (1 - xi_h) r_h: so units, groups, MLPs and whatever stands in their place come by themselves (Molchanov et
al. 2017; Michel et al. 2019 take the absolute value of the same derivative of a loss).

Shapes: M masks, V values, V = classes of a classifier or requests of a choice, `width` units.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from threading import Lock

import numpy as np
from jaxtyping import Bool, Float

from study.subjects.subject import TokenRow

MOST_NUMBERS = 2**27
"""Numbers that are kept, of 4 bytes each; the tangents of further examples are taken anew whenever they are needed."""


@dataclass(frozen=True)
class Tangent:
    """The values of an example with every unit on, and their derivatives.

    Attributes:
        values: the values.
        slopes: derivative of each value with respect to the gate of each unit. Where only differences of values count,
            that of one value may be taken from all.
    """

    values: Float[np.ndarray, " V"]
    slopes: Float[np.ndarray, "V width"]

    def under(self, masks: Bool[np.ndarray, "M width"]) -> Float[np.ndarray, "M V"]:
        """The values under masks, to first order."""
        return self.values - (~masks).astype(self.slopes.dtype) @ self.slopes.T


class KeptTangents:
    """Tangents of examples, each taken once, as far as there is room for them."""

    def __init__(self, take: Callable[[Sequence[TokenRow]], list[Tangent]], most_numbers: int = MOST_NUMBERS) -> None:
        """Begin with none.

        Args:
            take: takes the tangents of examples.
            most_numbers: numbers that are kept.
        """
        self._take, self._room = take, most_numbers
        self._kept: dict[str, Tangent] = {}
        self._lock = Lock()  # blocks are computed several at a time, and the gate of a model is one

    def forget(self) -> None:
        """Begin again."""
        with self._lock:
            self._room += sum(tangent.slopes.size for tangent in self._kept.values())
            self._kept.clear()

    def __len__(self) -> int:
        """How many are kept."""
        return len(self._kept)

    def lacks(self, rows: Sequence[TokenRow]) -> int:
        """How many of these examples have no tangent yet."""
        return sum(row.example not in self._kept for row in rows)

    def of(self, rows: Sequence[TokenRow]) -> list[Tangent]:
        """The tangents of examples, in their order."""
        with self._lock:
            new = [row for row in rows if row.example not in self._kept]
            found = dict(zip((row.example for row in new), self._take(new) if new else [], strict=True))
            for name, tangent in found.items():
                if tangent.slopes.size <= self._room:
                    self._room -= tangent.slopes.size
                    self._kept[name] = tangent
            return [found.get(row.example) or self._kept[row.example] for row in rows]
