"""Needles in a haystack: a fact stands somewhere in a long text of other things, and is asked for at its end."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from random import Random

from study.data.language.questions import Question
from study.data.synthetic.source import Row, SyntheticSet
from study.data.synthetic.words import NAMES
from study.record.errors import InputError

FACTS = {
    "favourite food": ("bread", "rice", "soup", "cheese", "fish", "pasta", "pizza", "salad"),
    "favourite colour": ("green", "blue", "red", "yellow", "purple", "orange", "white", "black"),
    "favourite drink": ("tea", "coffee", "milk", "water", "juice", "wine", "beer", "cocoa"),
    "favourite city": ("Paris", "London", "Rome", "Berlin", "Madrid", "Vienna", "Dublin", "Athens"),
}
"""What is asked, and the answers."""

WHO = ("The old bus", "A train", "The ferry", "The mail van", "A tram", "The night train", "A small boat", "The taxi")
DID = ("stopped", "waited", "turned around", "broke down", "arrived", "was cleaned", "was repaired", "stood empty")
WHERE = ("near the harbour", "at the bridge", "behind the station", "by the river", "in the valley", "on the hill")
WHEN = ("before noon", "in the evening", "after the rain", "on a cold morning", "late at night", "that week")

CHOICES = 4
"""Answers that are asked for, one of which is right."""


@dataclass(kw_only=True)
class Needle(SyntheticSet):
    """A person's favourite among four of a kind.

    Each haystack is asked with its fact at every depth. Columns: `group` (the haystack), `depth`, and `kind` of fact.

    Attributes:
        words: about how many words the haystack has.
        depths: where the fact stands: 0 first, 1 last.
    """

    maker = "needle 1"
    words: int = 400
    depths: list[float] = field(default_factory=lambda: [0.0, 0.25, 0.5, 0.75, 1.0])

    def rows(self, chance: Random) -> Iterator[Row]:
        """See `SyntheticSet.rows`."""
        if self.words < 0:
            raise InputError(f"data.words={self.words}: expected 0 or more")
        if not self.depths or len(set(self.depths)) < len(self.depths) or not all(0 <= at <= 1 for at in self.depths):
            raise InputError(f"data.depths={list(self.depths)}: expected different numbers from 0 to 1")
        return self._rows(chance)

    def _rows(self, chance: Random) -> Iterator[Row]:
        number = 0
        while True:
            number += 1
            kind, name = chance.choice(tuple(FACTS)), chance.choice(NAMES)
            choices = tuple(chance.sample(FACTS[kind], CHOICES))
            answer = chance.randrange(CHOICES)
            hay = _sentences(chance, self.words)
            for depth in self.depths:
                place = round(depth * len(hay))
                fact = f"The {kind} of {name} is {choices[answer]}."
                text = " ".join([*hay[:place], fact, *hay[place:]])
                question = Question((f"{text} The {kind} of {name} is",), choices, answer)
                yield Row(question, {"group": f"haystack {number}", "depth": f"{depth:g}", "kind": kind})


def _sentences(chance: Random, words: int) -> list[str]:
    """Sentences of at least so many words together, none of which says anything about the facts."""
    sentences, count = [], 0
    while count < words:
        sentence = f"{chance.choice(WHO)} {chance.choice(DID)} {chance.choice(WHERE)} {chance.choice(WHEN)}."
        sentences.append(sentence)
        count += len(sentence.split())
    return sentences
