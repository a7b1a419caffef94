"""Tests of the toy induction task: what comes next was there before, and nothing else tells it."""

from collections import Counter

import pytest

from study.toy.induction import CHOICES, LENGTHS, WORDS, InductionDomain, induction_examples

LEARNT = (InductionDomain.TRAIN, InductionDomain.DEV)


def halves(context: str, length: int) -> tuple[list[str], list[str]]:
    words = context.split()
    return words[:length], words[length:]


@pytest.mark.parametrize("domain", list(InductionDomain))
def test_reproducible_and_of_different_words_that_come_again(domain: InductionDomain) -> None:
    examples = induction_examples(domain, 200)
    assert induction_examples(domain, 50).texts == examples.texts[:50]
    assert induction_examples(domain, 50, seed=1).texts != examples.texts[:50]
    for texts, target, length in zip(examples.texts, examples.targets, examples.columns["length"], strict=True):
        first, second = halves(texts[0], int(length))
        assert len(set(first)) == len(first) == int(length)
        assert set(first) <= set(WORDS)
        assert first[: len(second)] == second
        right = texts[1 + int(target)].split()
        assert first[len(second) : len(second) + len(right)] == right
        assert all(text.startswith(" ") for text in texts[1:])
    assert {int(length) for length in examples.columns["length"]} == set(LENGTHS[domain])


@pytest.mark.parametrize("domain", LEARNT)
def test_all_words_that_can_be_known_are_learnt_and_no_other(domain: InductionDomain) -> None:
    examples = induction_examples(domain, 100)
    for (context, rest), length in zip(examples.texts, examples.columns["length"], strict=True):
        first, second = halves(context + rest, int(length))
        assert first == second
        assert len(halves(context, int(length))[1]) == 1


@pytest.mark.parametrize("domain", [InductionDomain.TEST, InductionDomain.LONG])
def test_the_choice_is_among_words_of_the_text_and_its_place_tells_nothing(domain: InductionDomain) -> None:
    examples = induction_examples(domain, 400)
    for (context, *choices), length in zip(examples.texts, examples.columns["length"], strict=True):
        assert len(set(choices)) == CHOICES
        assert {choice.strip() for choice in choices} <= set(halves(context, int(length))[0])
    assert all(60 < count < 140 for count in Counter(examples.targets).values())
    assert examples.counts["characters"] == tuple(tuple(len(c.strip()) for c in row[1:]) for row in examples.texts)


def test_there_are_48_words() -> None:
    assert len(set(WORDS)) == len(WORDS) == 48


def test_no_text_that_is_tested_is_trained_on() -> None:
    seen = {tuple(halves(row[0], int(n))[0]) for row, n in _rows(InductionDomain.TRAIN, 24000)}
    for domain in InductionDomain:
        if domain is not InductionDomain.TRAIN:
            assert not seen & {tuple(halves(row[0], int(n))[0]) for row, n in _rows(domain, 300)}


def _rows(domain: InductionDomain, count: int):
    examples = induction_examples(domain, count)
    return zip(examples.texts, examples.columns["length"], strict=True)
