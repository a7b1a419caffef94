"""The toy language pair: sentences from a grammar, each with its one translation.

What the translation needs that words alone do not give: the verb stands last and agrees with a subject that may be far
away; adjectives follow their noun; articles, adjectives and object pronouns take its gender and number; adverbs come
first. Three to five sentences that share their nouns make a document. A dialect has the same words in another order.
"""

import random
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import lru_cache

from study.record.examples import Examples
from study.toy.translation_lexicon import (
    ADJECTIVES,
    ADVERBS,
    CHAT_NOUNS,
    GENERAL_NOUNS,
    INTRANSITIVES,
    NAMES,
    NEWS_NOUNS,
    NUMBERS,
    PREPOSITIONS,
    TRANSITIVES,
    Noun,
    Verb,
)


class TranslationDomain(StrEnum):
    """The sets that the language pair offers; NEWS, CHAT and DIALECT are the test domains."""

    TRAIN = "train"
    VALID = "valid"
    NEWS = "news"
    CHAT = "chat"
    DIALECT_TRAIN = "dialect_train"
    DIALECT_VALID = "dialect_valid"
    DIALECT = "dialect"


@dataclass(frozen=True)
class Mix:
    """How the sentences of a genre are made.

    Attributes:
        nouns: the nouns from which those of a document are drawn.
        speech: probability that the subject is I, you or we; half of it, that the sentence is a question; half of it,
            that it addresses someone.
        adjective: probability that a noun has an adjective.
        nested: probability that a noun has a prepositional phrase or a relative clause.
        second: probability that a second verb with a pronoun for object follows.
        past: probability that it is told in the past.
        dialect: whether the translation is in the dialect: adjectives come before their noun, adverbs last.
    """

    nouns: tuple[Noun, ...]
    speech: float
    adjective: float
    nested: float
    second: float
    past: float
    dialect: bool = False


MIXES = {
    "story": Mix(GENERAL_NOUNS, speech=0.15, adjective=0.35, nested=0.25, second=0.3, past=0.5),
    "news": Mix(GENERAL_NOUNS + 2 * NEWS_NOUNS, speech=0.0, adjective=0.45, nested=0.5, second=0.3, past=0.8),
    "chat": Mix(GENERAL_NOUNS + 2 * CHAT_NOUNS, speech=0.7, adjective=0.2, nested=0.05, second=0.3, past=0.2),
    "dialect": Mix(GENERAL_NOUNS, speech=0.15, adjective=0.6, nested=0.25, second=0.1, past=0.5, dialect=True),
}
GENRES = {
    TranslationDomain.TRAIN: ("story", "story", "news", "chat"),
    TranslationDomain.VALID: ("story", "story", "news", "chat"),
    TranslationDomain.NEWS: ("news",),
    TranslationDomain.CHAT: ("chat",),
    TranslationDomain.DIALECT_TRAIN: ("dialect",),
    TranslationDomain.DIALECT_VALID: ("dialect",),
    TranslationDomain.DIALECT: ("dialect",),
}
BUCKETS = {
    TranslationDomain.TRAIN: range(7),
    TranslationDomain.VALID: range(7, 8),
    TranslationDomain.NEWS: range(8, 10),
    TranslationDomain.CHAT: range(8, 10),
    TranslationDomain.DIALECT_TRAIN: range(7),
    TranslationDomain.DIALECT_VALID: range(7, 8),
    TranslationDomain.DIALECT: range(8, 10),
}
"""Which tenths of all sentences a domain may use, so that no test sentence is trained on."""

DOCUMENT = (3, 4, 5)
"""How many sentences a document may have."""


@dataclass(frozen=True)
class Agreement:
    """What a verb, an article or an adjective takes from a noun or pronoun.

    Attributes:
        person: 1, 2 or 3.
        plural: its number.
        feminine: its gender.
    """

    person: int = 3
    plural: bool = False
    feminine: bool = False

    def form(self, forms: str) -> str:
        """The one of four forms, `masculine feminine masculines feminines`, for this gender and number."""
        return forms.split()[2 * self.plural + self.feminine]


@dataclass(frozen=True)
class Phrase:
    """A piece of a sentence in both languages, and what agrees with it."""

    source: str
    target: str
    agreement: Agreement = Agreement()


THE = "lo la li le"
SINGULAR_DETERMINERS = {
    "the": THE,
    "this": "kosto kosta - -",
    "my": "mio mia - -",
    "a": "uno una - -",
    "every": "onu ona - -",
}
PLURAL_DETERMINERS = {"the": THE, "these": "- - kosti koste", "my": "- - mii mie", "some": "- - uni une"}
PRESENT = {(1, False): "eo", (2, False): "es", (3, False): "at", (1, True): "emo", (3, True): "ont"}
"""Endings of the present tense, by person and number."""

SPEAKERS = (
    Phrase("I", "mi", Agreement(1)),
    Phrase("you", "tu", Agreement(2)),
    Phrase("we", "noi", Agreement(1, plural=True)),
)


@lru_cache(maxsize=4)
def translation_examples(domain: TranslationDomain, count: int, seed: int = 0) -> Examples:
    """The first `count` examples of a domain: a source sentence with its one reference translation.

    The columns are `group` (the document) and `genre`. The same seed gives the same examples on every machine, and a
    larger `count` only adds some.
    """
    rows = [row for row, _ in zip(_rows(domain, seed), range(count), strict=False)]
    return Examples(
        ids=tuple(f"{domain}-{i:05d}" for i in range(count)),
        texts=tuple((sentence.source,) for _, _, sentence in rows),
        targets=tuple(sentence.target for _, _, sentence in rows),
        columns={
            "group": tuple(f"{domain}-document-{document:05d}" for document, _, _ in rows),
            "genre": tuple(genre for _, genre, _ in rows),
        },
    )


def _rows(domain: TranslationDomain, seed: int) -> Iterator[tuple[int, str, Phrase]]:
    """Document, genre and sentence, without end."""
    chance = random.Random(f"{domain} {seed}")
    document = 0
    while True:
        genre = chance.choice(GENRES[domain])
        mix = MIXES[genre]
        writer = Writer(chance, replace(mix, nouns=tuple(chance.sample(mix.nouns, 6))))
        for _ in range(chance.choice(DOCUMENT)):
            yield document, genre, writer.sentence_in(BUCKETS[domain])
        document += 1


@dataclass(frozen=True)
class Writer:
    """Draws the sentences of one document."""

    chance: random.Random
    mix: Mix

    def sentence_in(self, buckets: range) -> Phrase:
        """A sentence that lies in one of these buckets."""
        while True:
            sentence = self.sentence()
            if zlib.crc32(sentence.source.encode()) % 10 in buckets:
                return sentence

    def sentence(self) -> Phrase:
        """A sentence, capitalised and with its punctuation."""
        subject = self._subject()
        past = self._happens(self.mix.past)
        asks = self._happens(self.mix.speech / 2)
        body = self._question(subject, past) if asks else self._statement(subject, past)
        if self._happens(self.mix.speech / 2):
            name = self.chance.choice(NAMES)
            body = Phrase(f"{name}, {body.source}", f"{name}, {body.target}")
        source_end, target_end = ("?", " ?") if asks else (".", ".")  # spaced as in French
        return Phrase(_capitalised(body.source) + source_end, _capitalised(body.target) + target_end)

    def _statement(self, subject: Phrase, past: bool) -> Phrase:
        negated = self._happens(0.2)
        first = self.chance.choice(TRANSITIVES)
        verb = conjugate(first, subject.agreement, past, negated)
        if self._happens(0.25):
            lone = conjugate(self.chance.choice(INTRANSITIVES), subject.agreement, past, negated)
            clause = Phrase(f"{subject.source} {lone.source}", f"{subject.target} {lone.target}")
        else:
            thing = self._noun_phrase(self.mix.nested / 2)
            clause = Phrase(
                f"{subject.source} {verb.source} {thing.source}", f"{subject.target} {thing.target} {verb.target}"
            )
            if self._happens(self.mix.second):
                other = self.chance.choice([v for v in TRANSITIVES if v != first])
                return self._continued(clause, conjugate(other, subject.agreement, past), thing.agreement)
        return self._with_adverb(clause)

    def _continued(self, clause: Phrase, verb: Phrase, thing: Agreement) -> Phrase:
        """`... and helps it`: a second verb, whose object is a pronoun for the first one's."""
        pronoun = "them" if thing.plural else "it"
        return Phrase(
            f"{clause.source} and {verb.source} {pronoun}", f"{clause.target} e {thing.form(THE)} {verb.target}"
        )

    def _question(self, subject: Phrase, past: bool) -> Phrase:
        verb = self.chance.choice(TRANSITIVES)
        thing = self._noun_phrase(0.0)
        auxiliary = _auxiliary(subject.agreement, past)
        target = conjugate(verb, subject.agreement, past).target
        return Phrase(
            f"{auxiliary} {subject.source} {verb.plain} {thing.source}",
            f"esk {subject.target} {thing.target} {target}",
        )

    def _with_adverb(self, clause: Phrase) -> Phrase:
        if not self._happens(0.3):
            return clause
        source, target = self._entry(ADVERBS)
        return Phrase(f"{clause.source} {source}", self._in_order(target, clause.target))

    def _in_order(self, first: str, second: str) -> str:
        """Two parts of a translation in the order of the language, the other way round in the dialect."""
        return f"{second} {first}" if self.mix.dialect else f"{first} {second}"

    def _subject(self) -> Phrase:
        if self._happens(self.mix.speech):
            return self.chance.choice(SPEAKERS)
        return self._noun_phrase(self.mix.nested)

    def _noun_phrase(self, nested: float) -> Phrase:
        """Determiner, noun, adjective and, with this probability, a phrase or clause within it."""
        noun, plural = self.chance.choice(self.mix.nouns), self._happens(0.4)
        agreement = Agreement(plural=plural, feminine=noun.feminine)
        source, target = noun.plural if plural else noun.singular, noun.stem + ("en" if plural else "")
        if self._happens(self.mix.adjective):
            adjective, stem = self._entry(ADJECTIVES)
            source, target = f"{adjective} {source}", self._in_order(target, f"{stem}{agreement.form('o a i e')}")
        determiner, article = self._determiner(agreement)
        if determiner == "a" and source[0] in "aeiou":
            determiner = "an"
        phrase = Phrase(f"{determiner} {source}", f"{article} {target}", agreement)
        return self._nested(phrase) if self._happens(nested) else phrase

    def _determiner(self, agreement: Agreement) -> tuple[str, str]:
        if agreement.plural and self._happens(0.2):
            return self._entry(NUMBERS)
        determiner, forms = self._entry(PLURAL_DETERMINERS if agreement.plural else SINGULAR_DETERMINERS)
        return determiner, agreement.form(forms)

    def _nested(self, phrase: Phrase) -> Phrase:
        inner = self._noun_phrase(0.0)
        if self._happens(0.5):
            source, target = self._entry(PREPOSITIONS)
            source, target = f"{source} {inner.source}", f"{target} {inner.target}"
        else:
            verb = conjugate(self.chance.choice(TRANSITIVES), phrase.agreement, self._happens(self.mix.past))
            source, target = f"that {verb.source} {inner.source}", f"ke {inner.target} {verb.target}"
        return Phrase(f"{phrase.source} {source}", f"{phrase.target} {target}", phrase.agreement)

    def _entry(self, table: Mapping[str, str]) -> tuple[str, str]:
        return self.chance.choice(tuple(table.items()))

    def _happens(self, probability: float) -> bool:
        return self.chance.random() < probability


def conjugate(verb: Verb, subject: Agreement, past: bool, negated: bool = False) -> Phrase:
    """A verb for its subject; in the made-up language the past agrees in gender and number, the present in person."""
    target = f"{verb.stem}av{subject.form('o a i e')}" if past else verb.stem + PRESENT[subject.person, subject.plural]
    if negated:
        return Phrase(f"{_auxiliary(subject, past)} not {verb.plain}", f"ne {target}")
    if past:
        return Phrase(verb.past, target)
    return Phrase(verb.third if _is_third(subject) else verb.plain, target)


def _auxiliary(subject: Agreement, past: bool) -> str:
    if past:
        return "did"
    return "does" if _is_third(subject) else "do"


def _is_third(subject: Agreement) -> bool:
    return subject.person == 3 and not subject.plural


def _capitalised(text: str) -> str:
    return text[0].upper() + text[1:]
