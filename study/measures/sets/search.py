"""The search for a small set of units that loses no more than a margin: backward, then swaps.

It knows scores alone. Where one is not known yet it says which are needed, so that a search goes on wherever what is
stored ends, and takes the same steps each time.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from study.record.units import Unit

FULL, IMPORTANCE, EFFECT, SWAP = "full", "importance", "effect", "swap"
"""What each step of a search was made by."""

ROUNDING = 1e-9
"""Scores that differ by no more are equal."""

Off = Sequence[Unit]
"""The units that a set lacks."""

Scores = Callable[[Sequence[Off]], Float[np.ndarray, " sets"]]
"""The score without each of some sets of units."""


def asked_sets(units: int, swaps: int) -> tuple[int, int]:
    """At least and at most of how many sets a search asks the score, the full one among them.

    At least without more and more units by importance, and without each by itself, with which rivals are chosen. At
    most each round by effect takes one unit away: of k units that are on it asks k sets without one of them, and k - 1
    without more. Each swap asks each unit that is off in the place of each that is on, and begins another round.

    Args:
        units: how many there are.
        swaps: most swaps that are taken.
    """
    rounds = units**2  # 1 + 3 + 5 ... + (2 k - 1)
    return 2 * units, units + 1 + rounds + swaps * (units**2 // 4 + 2 * units)


@dataclass(frozen=True)
class Step:
    """A set that the search came to.

    Attributes:
        name: what it was made by.
        off: the units that it lacks.
    """

    name: str
    off: tuple[Unit, ...]


@dataclass(frozen=True)
class Search:
    """A search under way.

    Attributes:
        ranking: all units that may go, the least important first.
        scores: gives scores, or raises what says that some are not known yet.
        lose: how much lower than that of all units a score may be, in the unit of effects.
        swaps: most swaps that are taken.
    """

    ranking: Sequence[Unit]
    scores: Scores
    lose: float
    swaps: int

    def steps(self) -> list[Step]:
        """Every set that it comes to, the first with all units, the last one minimal.

        From the last no unit can be taken without a score below the margin, and unless the most swaps were taken no
        unit that is off, in the place of one that is on, gives a higher score.
        """
        steps = [Step(FULL, ())]
        floor = float(self.scores([()])[0]) - self.lose - ROUNDING
        prefixes = [self.ranking[:count] for count in range(len(self.ranking) + 1)]
        self._take(steps, IMPORTANCE, prefixes, floor)
        self._by_effect(steps, floor)
        for _ in range(self.swaps):
            swapped = self._best_swap(steps[-1].off)
            if swapped is None:
                break
            steps.append(Step(SWAP, swapped))
            self._by_effect(steps, floor)
        return steps

    def _by_effect(self, steps: list[Step], floor: float) -> None:
        """Take away the units whose removal costs least, as many at a time as the margin allows, until none can go."""
        while True:
            off = steps[-1].off
            kept = [unit for unit in self.ranking if unit not in off]
            scores = self.scores([(*off, unit) for unit in kept])
            order = [kept[i] for i in np.argsort(-scores, kind="stable") if scores[i] >= floor]
            if not order:
                return
            self._take(steps, EFFECT, [(*off, *order[:count]) for count in range(1, len(order) + 1)], floor)

    def _take(self, steps: list[Step], name: str, sets: Sequence[Off], floor: float) -> None:
        """Go to the smallest of some growing sets of units off whose score is no lower than the floor."""
        enough = np.flatnonzero(self.scores(sets) >= floor)
        off = tuple(sets[enough[-1]]) if len(enough) else ()
        if len(off) > len(steps[-1].off):
            steps.append(Step(name, off))

    def _best_swap(self, off: Off) -> tuple[Unit, ...] | None:
        """The set of the same size with one unit in the place of another that scores highest, if it scores higher."""
        kept = [unit for unit in self.ranking if unit not in off]
        swapped = [tuple(gone if unit == back else unit for unit in off) for back in off for gone in kept]
        if not swapped:
            return None
        now, *others = self.scores([off, *swapped])
        best = int(np.argmax(others))
        return swapped[best] if others[best] > now + ROUNDING else None
