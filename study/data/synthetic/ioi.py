"""Indirect objects (Wang et al. 2023): of two persons, one gives something to the other; who gets it?"""

from collections.abc import Iterator
from dataclasses import dataclass
from random import Random

from study.data.language.questions import Question
from study.data.synthetic.source import Row, SyntheticSet, distinct
from study.data.synthetic.words import NAMES

TEMPLATES = (
    "After {a} and {b} came back from the {place}, {giver} handed the {thing} to",
    "While {a} and {b} were waiting at the {place}, {giver} passed the {thing} to",
    "{a} and {b} met at the {place}. Before long {giver} offered the {thing} to",
    "Yesterday {a} and {b} had lunch at the {place}, and {giver} showed the {thing} to",
    "Once {a} and {b} had left the {place}, {giver} returned the {thing} to",
    "On the way to the {place}, {a} and {b} stopped, and {giver} threw the {thing} to",
    "{a} and {b} argued all day at the {place}. In the end {giver} sold the {thing} to",
    "As soon as {a} and {b} reached the {place}, {giver} lent the {thing} to",
    "{a} and {b} worked late at the {place}, so {giver} brought the {thing} to",
    "Since {a} and {b} were alone at the {place}, {giver} gave the {thing} to",
    "Nobody saw {a} and {b} leave the {place}, where {giver} had promised the {thing} to",
    "Every time {a} and {b} went to the {place}, {giver} carried the {thing} to",
)
PLACES = ("station", "library", "market", "beach", "museum", "hospital", "garden", "office", "theatre", "harbour")
THINGS = ("key", "book", "letter", "ring", "map", "camera", "basket", "ticket", "lamp", "coat")


@dataclass(kw_only=True)
class IndirectObject(SyntheticSet):
    """The name of who gets it against the name of who gives it.

    Each template has both orders of the names, and the right answer is the first choice as often as the second.
    Columns: `group` (the template), `order` (`ABBA` where the second person gives, else `BABA`) and `corrupted`, the
    context in which a third person gives instead, so that nothing tells the two apart.
    """

    maker = "ioi 1"

    def rows(self, chance: Random) -> Iterator[Row]:
        """See `SyntheticSet.rows`."""
        return distinct(lambda: _row(chance))


def _row(chance: Random) -> Row:
    number = chance.randrange(len(TEMPLATES))
    first, second, other = chance.sample(NAMES, 3)
    giver, receiver = (first, second) if chance.random() < 0.5 else (second, first)
    place, thing = chance.choice(PLACES), chance.choice(THINGS)
    context, corrupted = (
        TEMPLATES[number].format(a=first, b=second, giver=name, place=place, thing=thing) for name in (giver, other)
    )
    answer = chance.randrange(2)
    choices = (giver, receiver) if answer else (receiver, giver)
    columns = {
        "group": f"template {number + 1}",
        "order": "ABBA" if giver is second else "BABA",
        "corrupted": corrupted,
    }
    return Row(Question((context,), choices, answer), columns)
