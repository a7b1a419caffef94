"""Tests of the toy language pair: agreement and order read back from the text, one-to-one, Moses round trip."""

from dataclasses import replace
from random import Random

import pytest
from sacremoses import MosesDetokenizer, MosesTokenizer

from study.toy.translation import MIXES, Agreement, TranslationDomain, Writer, conjugate, translation_examples
from study.toy.translation_lexicon import (
    ADJECTIVES,
    ADVERBS,
    CHAT_NOUNS,
    GENERAL_NOUNS,
    INTRANSITIVES,
    NEWS_NOUNS,
    NUMBERS,
    PREPOSITIONS,
    TRANSITIVES,
    Verb,
)

NOUNS = GENERAL_NOUNS + NEWS_NOUNS + CHAT_NOUNS
STEMS = {noun.stem: noun for noun in NOUNS}
GENDERED = {"lo": "m", "la": "f", "li": "m", "le": "f", "kosto": "m", "kosta": "f", "kosti": "m", "koste": "f"}


@pytest.mark.parametrize("domain", list(TranslationDomain))
def test_reproducible_and_grouped(domain):
    examples = translation_examples(domain, 300)
    assert translation_examples(domain, 300) == examples
    assert translation_examples(domain, 20).texts == examples.texts[:20]
    assert translation_examples(domain, 20, seed=1).texts != examples.texts[:20]
    assert 60 <= len(set(examples.columns["group"])) <= 100


def test_no_test_sentence_is_trained_on():
    train = set(translation_examples(TranslationDomain.TRAIN, 8000).texts)
    for domain in (TranslationDomain.VALID, TranslationDomain.NEWS, TranslationDomain.CHAT, TranslationDomain.DIALECT):
        assert not train & set(translation_examples(domain, 300).texts)


def test_one_source_has_one_translation_and_one_translation_few_sources():
    examples = translation_examples(TranslationDomain.TRAIN, 5000)
    pairs = set(zip(examples.texts, examples.targets, strict=True))
    assert len(pairs) == len({source for source, _ in pairs})


def test_the_dialect_has_the_same_words_in_another_order():
    """Adjectives before their nouns, adverbs last; what has neither is translated as in the language."""
    mix = MIXES["dialect"]
    pairs = [[Writer(Random(seed), replace(mix, dialect=x)).sentence() for x in (False, True)] for seed in range(300)]
    for plain, dialect in pairs:
        assert plain.source == dialect.source
        words, others = (phrase.target.lower().strip(" .?").split() for phrase in (plain, dialect))
        assert sorted(words) == sorted(others)
        has_either = any(f" {word} " in plain.source.replace(".", " ") for word in (*ADJECTIVES, *ADVERBS))
        assert (words == others) == (not has_either), plain
    assert 0.3 < sum(plain.target != dialect.target for plain, dialect in pairs) / len(pairs) < 0.95


@pytest.mark.parametrize("domain", [TranslationDomain.NEWS, TranslationDomain.CHAT, TranslationDomain.DIALECT])
def test_text_survives_moses(domain):
    examples = translation_examples(domain, 300)
    for language, texts in (("en", [texts[0] for texts in examples.texts]), ("fr", examples.targets)):
        tokenize, detokenize = MosesTokenizer(language).tokenize, MosesDetokenizer(language).detokenize
        assert [detokenize(tokenize(text, escape=False)) for text in texts] == list(texts)


def test_articles_and_adjectives_agree_with_the_noun_between_them():
    checked = 0
    adjectives = {f"{stem}{ending}": ending for stem in ADJECTIVES.values() for ending in "oaie"}
    for target in translation_examples(TranslationDomain.NEWS, 300).targets:
        words = target.rstrip(".").lower().split()
        for article, word, after in zip(words, words[1:], [*words[2:], ""], strict=False):
            noun = STEMS.get(word) or STEMS.get(word.removesuffix("en"))
            if noun is None or article not in GENDERED:
                continue
            plural = word not in STEMS
            assert GENDERED[article] == ("f" if noun.feminine else "m"), target
            assert (article[-1] in "ie") == plural, target
            if after in adjectives:
                assert adjectives[after] == {(0, 0): "o", (0, 1): "a", (1, 0): "i", (1, 1): "e"}[plural, noun.feminine]
                checked += 1
    assert checked > 50


def test_the_last_verb_of_a_news_sentence_agrees_with_its_first_noun():
    """Past the words between them: the subject's noun comes first, the verb last (without a pronoun clause)."""
    numbers, far = set(NUMBERS.values()), 0
    stems = {verb.stem for verb in TRANSITIVES + INTRANSITIVES}
    for target in translation_examples(TranslationDomain.NEWS, 300).targets:
        words = target.rstrip(".").lower().split()
        verb = words[-1]
        nouns = [w for w in words if w in STEMS or w.removesuffix("en") in STEMS]
        stem = next(s for s in stems if verb.startswith(s) and verb.removeprefix(s) in _endings())
        plural = nouns[0] not in STEMS
        feminine = STEMS[nouns[0].removesuffix("en") if plural else nouns[0]].feminine
        past = {(0, 0): "avo", (0, 1): "ava", (1, 0): "avi", (1, 1): "ave"}[plural, feminine]
        assert verb.removeprefix(stem) in (past, "ont" if plural else "at"), target
        far += any(word in PREPOSITIONS.values() or word == "ke" or word in numbers for word in words)
    assert far > 100


def _endings() -> set[str]:
    return {"avo", "ava", "avi", "ave", "at", "ont", "eo", "es", "emo"}


@pytest.mark.parametrize(
    ("subject", "past", "negated", "source", "target"),
    [
        (Agreement(3), False, False, "sees", "vidat"),
        (Agreement(3, plural=True, feminine=True), True, False, "saw", "vidave"),
        (Agreement(1), False, True, "do not see", "ne video"),
        (Agreement(3, feminine=True), False, True, "does not see", "ne vidat"),
        (Agreement(1, plural=True), True, True, "did not see", "ne vidavi"),
    ],
)
def test_conjugation(subject, past, negated, source, target):
    phrase = conjugate(Verb("see", "sees", "saw", "vid"), subject, past, negated)
    assert (phrase.source, phrase.target) == (source, target)


def test_pronoun_objects_take_the_gender_of_what_they_stand_for():
    seen = set()
    for (source,), target in zip(*_texts(TranslationDomain.NEWS), strict=True):
        if not source.endswith((" it.", " them.")):
            continue
        before, clitic = target.rsplit(" e ", 1)[0].lower().split(), target.rsplit(" e ", 1)[1].split()[0]
        if "ke" in before or any(word in PREPOSITIONS.values() for word in before):
            continue
        noun = [w for w in before if w in STEMS or w.removesuffix("en") in STEMS][-1]
        plural = source.endswith(" them.")
        assert (
            clitic == ["lo", "la", "li", "le"][2 * plural + STEMS[noun.removesuffix("en" if plural else "")].feminine]
        )
        seen.add(clitic)
    assert seen == {"lo", "la", "li", "le"}


def _texts(domain):
    examples = translation_examples(domain, 300)
    return examples.texts, examples.targets
