"""The toy luck task, a second one for a model of toy inference: is the one who acts in a sentence lucky?

    A sad cow is pushed by some rich hen.   -> lucky: the hen acts, and is rich
    Some rich hen is pushed by a sad cow.   -> unlucky

The words are those of the toy inference language. One of the two is lucky and the other not, and either may stand
first: no single word tells, nor does which of the two stands first. There is a shortcut all the same: the one acted
upon always has the article `a`, so the adjective after it tells the answer without the voice of the verb.
"""

import random
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache

from study.record.examples import Examples
from study.toy.nli import realise
from study.toy.nli_lexicon import PASSIVES, TRAIN_GENRES
from study.toy.nli_meaning import Deed, Determiner, Sentence, Thing


class LuckDomain(StrEnum):
    """The sets that the task offers."""

    TRAIN = "train"
    DEV = "dev"
    TEST = "test"


class Luck(StrEnum):
    """What the one who acts is."""

    LUCKY = "lucky"
    UNLUCKY = "unlucky"


ADJECTIVES = {Luck.LUCKY: ("big", "happy", "quiet", "rich"), Luck.UNLUCKY: ("small", "sad", "loud", "poor")}
"""All but young and old: `an` would tell that the one acted upon is old."""

BUCKETS = {LuckDomain.TRAIN: range(7), LuckDomain.DEV: range(7, 8), LuckDomain.TEST: range(8, 10)}
"""Which tenths of all sentences a set may have, so that none is in two."""

DETERMINERS = (Determiner.EVERY, Determiner.SOME, Determiner.MORE_THAN_ONE)

PLACE = 0.3
"""Probability that a sentence says where."""


@dataclass(frozen=True)
class Row:
    """A sentence, what its agent is, and what it speaks of."""

    sentence: Sentence
    luck: Luck
    genre: str

    @property
    def voice(self) -> str:
        """The voice of its verb."""
        return "passive" if self.sentence.passive else "active"


@lru_cache(maxsize=4)
def luck_examples(domain: LuckDomain, count: int, seed: int = 0) -> Examples:
    """The first `count` sentences of a set, each once, with the columns `genre` and `voice`.

    The same seed gives the same examples on every machine, and a larger `count` only adds some.
    """
    rows = [row for row, _ in zip(_rows(domain, seed), range(count), strict=False)]
    return Examples(
        ids=tuple(f"{domain}-{i:05d}" for i in range(count)),
        texts=tuple((realise(row.sentence),) for row in rows),
        targets=tuple(str(row.luck) for row in rows),
        columns={"genre": tuple(row.genre for row in rows), "voice": tuple(row.voice for row in rows)},
    )


def _rows(domain: LuckDomain, seed: int) -> Iterator[Row]:
    chance, seen = random.Random(f"luck {domain} {seed}"), set[str]()
    while True:
        row = _row(chance)
        text = realise(row.sentence)
        if text not in seen and zlib.crc32(text.encode()) % 10 in BUCKETS[domain]:
            seen.add(text)
            yield row


def _row(chance: random.Random) -> Row:
    """One sentence of any set."""
    genre, luck = chance.choice(tuple(TRAIN_GENRES)), chance.choice(tuple(Luck))
    other = next(each for each in Luck if each != luck)
    nouns = [noun for members in TRAIN_GENRES[genre].kinds.values() for noun in members]
    agent, patient = chance.sample(nouns, 2)
    place = chance.choice(TRAIN_GENRES[genre].places) if chance.random() < PLACE else None
    sentence = Sentence(
        determiner=chance.choice(DETERMINERS),
        agent=Thing(agent, chance.choice(ADJECTIVES[luck])),
        deed=Deed(chance.choice(tuple(PASSIVES)), Thing(patient, chance.choice(ADJECTIVES[other])), place),
        negated=False,
        passive=chance.random() < 0.5,
    )
    return Row(sentence, luck, genre)
