"""Looks at a growing sample: the numbers of coalitions at which a job may stop, and what intervals pay for them.

A job that stops where intervals are narrow stops the sooner the narrower they happen to look. So it looks at few fixed
numbers, stated before anything is computed, and the chance of an error is divided by their number (Bonferroni): an
interval misses its value at any of the looks with that chance at most, so also at the one where the job stopped,
whatever made it stop.
"""

from dataclasses import dataclass

LOOKS = 4
"""How many looks there are at most: at an eighth, a quarter, half and all of the coalitions."""

LEAST_FOR_EACH = 3
"""Coalitions for each unit without which it is too early for a look."""


@dataclass(frozen=True)
class Looks:
    """The looks at a sample of coalitions.

    Attributes:
        at: numbers of coalitions, ascending; the last one ends the sample whatever is seen.
        width: half of the widest interval with which the sample ends sooner, in the unit of the values; where several
            jobs let it grow, the smallest that one of them asked for.
    """

    at: tuple[int, ...]
    width: float

    def joined(self, earlier: "Looks | None") -> "Looks":
        """These, and those that a job before has taken or stated; the smaller width of both."""
        if earlier is None:
            return self
        return Looks(tuple(sorted({*self.at, *earlier.at})), min(self.width, earlier.width))

    def include(self, other: "Looks") -> bool:
        """Whether intervals that pay for these pay for others too, and end at as small a width."""
        return set(other.at) <= set(self.at) and self.width <= other.width

    def count(self, coalitions: int) -> int:
        """How many looks an interval from so many coalitions has to pay for; it may be none of those stated."""
        return len({*self.at, coalitions})


def planned_looks(units: int, most: int) -> tuple[int, ...]:
    """The numbers of coalitions to look at: halves of halves of the most, all even; none with too few for the units."""
    halves = [2 * -(-most // 2 ** (number + 1)) for number in reversed(range(LOOKS))]
    return tuple(sorted({number for number in halves if number >= LEAST_FOR_EACH * units} | {most}))


def level(looks: Looks | None, coalitions: int, alpha: float) -> float:
    """The chance of an error that is left for the intervals of one look, where `alpha` is that of all."""
    return alpha if looks is None else alpha / looks.count(coalitions)
