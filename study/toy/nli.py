"""The toy NLI language: pairs of sentences from a grammar, labelled by what the sentences mean.

A hypothesis is its premise after one to three edits (a wider noun, an opposite adjective, roles exchanged, another
determiner ...). Edits only propose: the label always comes from `nli_meaning.label`. Labels are drawn first and kept
balanced, so that neither sentence alone gives them away.
"""

import random
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import lru_cache

from study.record.examples import Examples
from study.toy.nli_lexicon import (
    COVERED,
    GENRES,
    INTRANSITIVES,
    OPPOSITE,
    OTHER_GENRES,
    PASSIVES,
    TRAIN_GENRES,
    WIDER,
)
from study.toy.nli_meaning import Deed, Determiner, Label, Sentence, Thing, label


class NliDomain(StrEnum):
    """The sets that the language offers."""

    TRAIN = "train"
    DEV = "dev"
    MATCHED = "matched"
    MISMATCHED = "mismatched"


@dataclass(frozen=True)
class Mix:
    """How the sentences of a domain are made.

    Attributes:
        genres: what its texts speak of.
        buckets: which tenths of all premises it may use, so that no premise of one domain stands in another.
        borrowed: probability that a noun comes from any genre.
        adjective: probability that a noun has an adjective.
        place: probability that a sentence says where.
        patient: probability that the deed has an object.
        passive: probability that a sentence with an object is in the passive voice.
        edits: probabilities of one, two and three edits between premise and hypothesis.
    """

    genres: tuple[str, ...]
    buckets: range
    borrowed: float
    adjective: float
    place: float
    patient: float
    passive: float
    edits: tuple[float, float, float]


def _plain(buckets: range) -> Mix:
    return Mix(tuple(TRAIN_GENRES), buckets, 0.1, 0.3, 0.3, 0.6, 0.15, (0.6, 0.4, 0.0))


MIXES = {
    NliDomain.TRAIN: _plain(range(7)),
    NliDomain.DEV: _plain(range(7, 8)),
    NliDomain.MATCHED: _plain(range(8, 10)),
    NliDomain.MISMATCHED: Mix(tuple(OTHER_GENRES), range(8, 10), 0.0, 0.5, 0.5, 0.8, 0.35, (0.4, 0.4, 0.2)),
}
HYPOTHESES = (3, 4, 5)
"""How many hypotheses a premise may have."""

NEGATED = 0.2
"""Probability of `not`, in a premise and where a hypothesis gets another determiner."""

REQUANTIFIED = 0.5
"""Probability that a hypothesis gets another determiner beside its edits."""

TRIES = 60
"""Attempts at a hypothesis of the label drawn, before another label is drawn."""


@lru_cache(maxsize=4)
def nli_examples(domain: NliDomain, count: int, seed: int = 0) -> Examples:
    """The first `count` examples of a domain: (premise, hypothesis) with a label.

    The columns are `group` (the premise, shared by three to five hypotheses), `genre` and `phenomenon` (the edits,
    joined by `+`). The same seed gives the same examples on every machine, and a larger `count` only adds some.
    """
    rows = [row for row, _ in zip(_rows(domain, seed), range(count), strict=False)]
    return Examples(
        ids=tuple(f"{domain}-{i:05d}" for i in range(count)),
        texts=tuple((realise(row.premise), realise(row.hypothesis)) for row in rows),
        targets=tuple(str(label(row.premise, row.hypothesis)) for row in rows),
        columns={
            "group": tuple(f"{domain}-premise-{row.group:05d}" for row in rows),
            "genre": tuple(row.genre for row in rows),
            "phenomenon": tuple(row.phenomenon for row in rows),
        },
    )


@dataclass(frozen=True)
class Row:
    """A pair of sentences and where it belongs."""

    group: int
    genre: str
    premise: Sentence
    hypothesis: Sentence
    phenomenon: str


def _rows(domain: NliDomain, seed: int) -> Iterator[Row]:
    chance = random.Random(f"{domain} {seed}")
    mix = MIXES[domain]
    seen: set[str] = set()
    group = 0
    while True:
        writer = Writer(chance, mix, chance.choice(mix.genres))
        premise = writer.sentence()
        text = realise(premise)
        if text in seen or zlib.crc32(text.encode()) % 10 not in mix.buckets:
            continue
        seen.add(text)
        hypotheses: dict[Sentence, str] = {}
        for _ in range(chance.choice(HYPOTHESES)):
            hypothesis, phenomenon = writer.hypothesis(premise)
            hypotheses[hypothesis] = phenomenon
        for hypothesis, phenomenon in hypotheses.items():
            yield Row(group, writer.genre, premise, hypothesis, phenomenon)
        group += 1


Edit = Callable[[Sentence], Sentence]


@dataclass(frozen=True)
class Writer:
    """Draws sentences of one genre, and hypotheses for them."""

    chance: random.Random
    mix: Mix
    genre: str

    def sentence(self) -> Sentence:
        """A premise."""
        patient = self._thing() if self._happens(self.mix.patient) else None
        place = self._place() if self._happens(self.mix.place) else None
        verb = self.chance.choice(INTRANSITIVES if patient is None else tuple(PASSIVES))
        return Sentence(
            determiner=self.chance.choice(tuple(Determiner)),
            agent=self._thing(),
            deed=Deed(verb, patient, place),
            negated=self._happens(NEGATED),
            passive=patient is not None and self._happens(self.mix.passive),
        )

    def hypothesis(self, premise: Sentence) -> tuple[Sentence, str]:
        """A hypothesis and the edits that led to it, of a label drawn before."""
        while True:
            wanted = self.chance.choice(tuple(Label))
            for _ in range(TRIES):
                sentence, phenomenon = self._edited(premise)
                if sentence != premise and label(premise, sentence) == wanted:
                    return sentence, phenomenon

    def _edited(self, premise: Sentence) -> tuple[Sentence, str]:
        edits = self._edits(premise)
        (number,) = self.chance.choices((1, 2, 3), self.mix.edits)
        chosen = set(self.chance.sample(tuple(edits), number))
        if self._happens(REQUANTIFIED):
            chosen.add("quantity")
        sentence, phenomena = premise, []
        for name in sorted(chosen):
            edited = edits[name](sentence)
            if edited != sentence:
                phenomena.append(name)
            sentence = edited
        return sentence, "+".join(phenomena)

    def _edits(self, premise: Sentence) -> dict[str, Edit]:
        """The edits that the premise allows, by the phenomenon that they bring."""
        edits: dict[str, Edit] = {
            "quantity": self._requantified,
            "agent": lambda s: replace(s, agent=self._renamed(s.agent)),
            "modifier": lambda s: replace(s, agent=self._modified(s.agent)),
            "place": self._moved,
            "verb": lambda s: replace(s, deed=replace(s.deed, verb=self._other_verb(s.deed.verb))),
        }
        if premise.deed.patient is not None:
            edits["roles"] = _swapped
            edits["voice"] = lambda s: replace(s, passive=not s.passive)
            edits["patient"] = lambda s: _with_patient(s, self._renamed(_patient(s)))
            edits["patient modifier"] = lambda s: _with_patient(s, self._modified(_patient(s)))
        return edits

    def _requantified(self, sentence: Sentence) -> Sentence:
        return replace(sentence, determiner=self.chance.choice(tuple(Determiner)), negated=self._happens(NEGATED))

    def _renamed(self, thing: Thing) -> Thing:
        """With a wider or narrower noun or another one of its kind; seldom an unrelated one."""
        near = _neighbours(thing.noun)
        return replace(thing, noun=self.chance.choice(near) if self._happens(0.85) else self._thing().noun)

    def _modified(self, thing: Thing) -> Thing:
        """With an adjective more, less, or another."""
        if thing.adjective is None:
            return replace(thing, adjective=self._adjective())
        return replace(thing, adjective=self.chance.choice((None, None, OPPOSITE[thing.adjective], self._adjective())))

    def _moved(self, sentence: Sentence) -> Sentence:
        place = self._place() if sentence.deed.place is None or self._happens(0.4) else None
        return replace(sentence, deed=replace(sentence.deed, place=place))

    def _other_verb(self, verb: str) -> str:
        near = _neighbours(verb)
        if near and self._happens(0.85):
            return self.chance.choice(near)
        return self.chance.choice(tuple(PASSIVES) if verb in PASSIVES else INTRANSITIVES)

    def _thing(self) -> Thing:
        genre = self.chance.choice(tuple(GENRES)) if self._happens(self.mix.borrowed) else self.genre
        kind, members = self.chance.choice(tuple(GENRES[genre].kinds.items()))
        noun = kind if self._happens(0.25) else self.chance.choice(members)
        return Thing(noun, self._adjective() if self._happens(self.mix.adjective) else None)

    def _adjective(self) -> str:
        return self.chance.choice(tuple(OPPOSITE))

    def _place(self) -> str:
        return self.chance.choice(GENRES[self.genre].places)

    def _happens(self, probability: float) -> bool:
        return self.chance.random() < probability


def _neighbours(word: str) -> tuple[str, ...]:
    """The words that cover a word, are covered by it, or are covered together with it."""
    if word in COVERED:
        return COVERED[word]
    if word not in WIDER:
        return ()
    cover = WIDER[word]
    return (cover, cover, *(member for member in COVERED[cover] if member != word))


def _patient(sentence: Sentence) -> Thing:
    assert sentence.deed.patient is not None
    return sentence.deed.patient


def _with_patient(sentence: Sentence, patient: Thing) -> Sentence:
    return replace(sentence, deed=replace(sentence.deed, patient=patient))


def _swapped(sentence: Sentence) -> Sentence:
    """Agent and patient exchanged: who did it to whom."""
    return replace(_with_patient(sentence, sentence.agent), agent=_patient(sentence))


def realise(sentence: Sentence) -> str:
    """A sentence as text: `Every old hen is not pushing a duck in the barn.`, or its passive."""
    agents = f"{sentence.determiner} {_words(sentence.agent)}"
    negation = " not" if sentence.negated else ""
    verb, patient, place = sentence.deed.verb, sentence.deed.patient, sentence.deed.place
    if patient is None:
        words = f"{agents} is{negation} {verb}"
    elif sentence.passive:
        words = f"{_with_article(patient)} is{negation} {PASSIVES[verb]} by {agents}"
    else:
        words = f"{agents} is{negation} {verb} {_with_article(patient)}"
    if place is not None:
        words = f"{words} {place}"
    return f"{words[0].upper()}{words[1:]}."


def _words(thing: Thing) -> str:
    return thing.noun if thing.adjective is None else f"{thing.adjective} {thing.noun}"


def _with_article(thing: Thing) -> str:
    words = _words(thing)
    return f"an {words}" if words[0] in "aeiou" else f"a {words}"
