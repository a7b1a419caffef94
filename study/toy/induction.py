"""The toy induction task: different words in random order come again, so that each next word was seen before.

    owl fig tin cup | owl fig tin -> cup

Nothing but the text itself tells the next word: a model must find the word after the same word (an induction head does,
Olsson et al. 2022), and for that each word must know the one before it. How many words come again differs, so that no
fixed distance leads to the answer.
"""

import random
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache

from study.record.examples import Examples


class InductionDomain(StrEnum):
    """The sets that the task offers."""

    TRAIN = "train"
    DEV = "dev"
    TEST = "test"
    LONG = "long"


ANIMALS = "ant ape bat bee cat cow dog eel elk emu fox hen jay owl pig ram"
PLANTS = "ash bay bud cob elm fig fir hop ivy nut oak pea pod rye tea yam"
THINGS = "axe bag bed box cap cup fan hat jar key lid map net pan pot tin"
WORDS = tuple(f"{ANIMALS} {PLANTS} {THINGS}".split())
LENGTHS = {
    InductionDomain.TRAIN: range(6, 15),
    InductionDomain.DEV: range(6, 15),
    InductionDomain.TEST: range(6, 15),
    InductionDomain.LONG: range(16, 23),
}
"""How many words come again, by domain; those of LONG are more than any that is trained on."""

CHOICES = 4
"""Words to choose from: the right one, and others that came before."""


@dataclass(frozen=True)
class Text:
    """A text whose words come again.

    Attributes:
        words: the words, once.
        again: how many of them have come again where the context ends.
        others: words that are not the next one, among those to choose from.
        place: the place of the right word among those to choose from.
    """

    words: tuple[str, ...]
    again: int
    others: tuple[str, ...]
    place: int

    @property
    def context(self) -> str:
        """What is read."""
        return " ".join(self.words + self.words[: self.again])

    def rest(self) -> tuple[str, ...]:
        """What comes next until the end: the one continuation that is learnt."""
        return (self.context, "".join(f" {word}" for word in self.words[self.again :]))

    def choice(self) -> tuple[str, ...]:
        """The context, and each word to choose from."""
        words = [*self.others[: self.place], self.words[self.again], *self.others[self.place :]]
        return (self.context, *(f" {word}" for word in words))


@lru_cache(maxsize=4)
def induction_examples(domain: InductionDomain, count: int, seed: int = 0) -> Examples:
    """The first `count` examples of a domain; of TRAIN and DEV all words that come again but the first are asked for.

    Those of the others ask for one word, which is to be chosen among four of the text. The column `length` says how
    many words come again. The same seed gives the same examples on every machine, and a larger `count` only adds some.
    """
    learnt = domain in (InductionDomain.TRAIN, InductionDomain.DEV)
    texts = [text for text, _ in zip(_texts(domain, seed), range(count), strict=False)]
    rows = tuple(text.rest() if learnt else text.choice() for text in texts)
    sizes = tuple(tuple(len(continuation) - 1 for continuation in row[1:]) for row in rows)
    return Examples(
        ids=tuple(f"{domain}-{i:05d}" for i in range(count)),
        texts=rows,
        targets=tuple("0" if learnt else str(text.place) for text in texts),
        columns={"length": tuple(str(len(text.words)) for text in texts)},
        counts={"characters": sizes, "bytes": sizes},
    )


def _texts(domain: InductionDomain, seed: int) -> Iterator[Text]:
    chance = random.Random(f"{domain} {seed}")
    while True:
        words = tuple(chance.sample(WORDS, chance.choice(LENGTHS[domain])))
        again = 1 if domain in (InductionDomain.TRAIN, InductionDomain.DEV) else chance.randrange(1, len(words))
        others = chance.sample([word for word in words if word != words[again]], CHOICES - 1)
        yield Text(words, again, tuple(others), chance.randrange(CHOICES))
