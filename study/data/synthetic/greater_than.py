"""Later years (Hanna et al. 2023): something lasts from one year to another; the other must be greater."""

from collections.abc import Iterator
from dataclasses import dataclass
from random import Random

from study.data.language.questions import Question
from study.data.synthetic.source import Row, SyntheticSet, distinct

EVENTS = (
    *("war", "siege", "drought", "strike", "expedition", "rebellion", "reign", "voyage", "trial", "campaign"),
    *("occupation", "restoration", "dispute", "famine", "truce", "festival"),
)
CENTURIES = range(11, 20)
"""First two digits of the years."""


@dataclass(kw_only=True)
class GreaterThan(SyntheticSet):
    """A year after the first against one as many years before it, in the same century.

    Whole years are scored, whatever tokens a tokenizer makes of them: what they share cancels in the difference.
    Columns: `group` (what lasts), `century` and `distance` in years.
    """

    maker = "greater_than 1"

    def rows(self, chance: Random) -> Iterator[Row]:
        """See `SyntheticSet.rows`."""
        return distinct(lambda: _row(chance))


def _row(chance: Random) -> Row:
    event, century = chance.choice(EVENTS), chance.choice(CENTURIES)
    first = chance.randrange(3, 97)  # 03 to 96, so that there are years on both sides of it
    distance = chance.randint(1, min(first, 99 - first))
    later, earlier = (f"{century}{first + step:02d}" for step in (distance, -distance))
    context = f"The {event} lasted from the year {century}{first:02d} to the year"
    answer = chance.randrange(2)
    choices = (earlier, later) if answer else (later, earlier)
    return Row(
        Question((context,), choices, answer),
        {"group": event, "century": f"{century}00", "distance": str(distance)},
    )
