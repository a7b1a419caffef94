"""Synthetic sets: the answer follows from the context alone, and a seed makes the same examples for ever."""

import hashlib
import json
import re
from collections import Counter
from dataclasses import replace

import pytest

from study.data.synthetic.exact_copy import ExactCopy
from study.data.synthetic.greater_than import GreaterThan
from study.data.synthetic.induction import Induction
from study.data.synthetic.ioi import IndirectObject
from study.data.synthetic.needle import Needle
from study.data.synthetic.source import SyntheticSet
from study.data.synthetic.words import NAMES, NOUNS
from study.record.errors import InputError

SETS = {
    IndirectObject: "4d1ff742a32b",
    GreaterThan: "f0d8ac0267f7",
    Induction: "74f396b001ca",
    ExactCopy: "dfafa2900b38",
    Needle: "60ceddc4de39",
}
"""The first digits of the digest of the texts of each set. Other texts must be made by a maker of another name."""


@pytest.mark.parametrize("kind", SETS)
def test_a_seed_makes_the_same_examples_for_ever(kind: type[SyntheticSet]) -> None:
    few = kind(name="x", count=20)
    content = json.dumps([few.examples().texts, few.examples().targets])
    assert hashlib.sha256(content.encode()).hexdigest().startswith(SETS[kind])
    assert replace(few, count=40).examples().take(range(20)).digest == few.examples().digest
    assert replace(few, seed=1).examples().texts != few.examples().texts
    assert few.identity()["maker"] == kind.maker


@pytest.mark.parametrize("kind", SETS)
def test_every_question_is_another_one_and_answers_are_balanced(kind: type[SyntheticSet]) -> None:
    examples = kind(name="x", count=400).examples()
    assert len(set(examples.texts)) == 400
    shares = Counter(examples.targets)
    choices = len(examples.texts[0]) - 1
    assert len(shares) == choices
    assert min(shares.values()) > 0.75 * 400 / choices
    for texts in examples.texts:
        assert len(set(texts)) == choices + 1
        assert all(text.startswith(" ") and text.strip() for text in texts[1:])


def test_the_indirect_object_is_named_once_and_the_giver_twice() -> None:
    examples = IndirectObject(name="x", count=300).examples()
    for row, (context, *choices) in enumerate(examples.texts):
        words = re.findall(r"\w+", context)
        right = int(examples.targets[row])
        receiver, giver = choices[right].strip(), choices[1 - right].strip()
        assert (words.count(receiver), words.count(giver)) == (1, 2)
        first = min((receiver, giver), key=words.index)
        assert examples.columns["order"][row] == ("ABBA" if giver != first else "BABA")
        corrupted = re.findall(r"\w+", examples.columns["corrupted"][row])
        assert [corrupted.count(name) for name in (receiver, giver)] == [1, 1]
        assert len(corrupted) == len(words)
    assert len(set(examples.columns["group"])) == 12
    assert min(Counter(examples.columns["order"]).values()) > 110


def test_only_one_of_the_two_years_is_later() -> None:
    examples = GreaterThan(name="x", count=300).examples()
    for row, (context, *years) in enumerate(examples.texts):
        first = int(re.findall(r"\d+", context)[0])
        right = int(examples.targets[row])
        later, earlier = int(years[right]), int(years[1 - right])
        assert later - first == first - earlier == int(examples.columns["distance"][row]) > 0
        assert later // 100 == first // 100 == earlier // 100


def test_the_second_time_is_the_first() -> None:
    for context, continuation in Induction(name="x", count=50, words=7).examples().texts:
        words = context.split()
        assert len(set(words)) == 7
        assert words[0] == words[-1]
        assert words[1:-1] == continuation.split()


def test_one_copy_has_no_fault() -> None:
    examples = ExactCopy(name="x", count=100, words=5).examples()
    for row, (context, *copies) in enumerate(examples.texts):
        listed = context.removeprefix("Words: ").split("\n")[0].split()
        faults = [sum(a != b for a, b in zip(listed, copy.split(), strict=True)) for copy in copies]
        assert sorted(faults) == [0, 1, 2]
        assert faults.index(0) == int(examples.targets[row])


def test_a_needle_lies_where_it_is_said_to() -> None:
    examples = Needle(name="x", count=60, words=200, depths=[0.0, 0.5, 1.0]).examples()
    for row, (context, *choices) in enumerate(examples.texts):
        right = choices[int(examples.targets[row])]
        asked = context.rpartition(". ")[2]
        fact = f"{asked}{right}."
        assert context.count(fact) == 1
        assert not any(f"{asked}{choice}." in context for choice in choices if choice != right)
        hay = context.removesuffix(asked)
        depth = float(examples.columns["depth"][row])
        assert hay.partition(fact)[0].count(".") == round(depth * (hay.count(".") - 1))
        assert 200 <= len(hay.replace(fact, "").split()) < 220
    assert Counter(Counter(examples.columns["group"]).values()) == {3: 20}


def test_words_and_names_stand_once() -> None:
    assert len(set(NAMES)) == len(NAMES)
    assert len(set(NOUNS)) == len(NOUNS)
    assert all(word.isalpha() for word in (*NAMES, *NOUNS))


@pytest.mark.parametrize(
    ("source", "message"),
    [
        (IndirectObject(name="x", count=0), "data.count=0: expected 1 to 100,000"),
        (Induction(name="x", words=1), "data.words=1: expected 2 to"),
        (Induction(name="x", words=1000), "data.words=1000: expected 2 to"),
        (ExactCopy(name="x", words=len(NOUNS)), "expected 2 to"),
        (Needle(name="x", words=-1), "data.words=-1"),
        (Needle(name="x", depths=[0.5, 1.5]), "data.depths=.*: expected different numbers from 0 to 1"),
        (Needle(name="x", depths=[]), "data.depths"),
    ],
)
def test_options_without_sense_are_refused(source: SyntheticSet, message: str) -> None:
    with pytest.raises(InputError, match=message):
        source.examples()


def test_a_set_that_is_too_small_says_how_many_there_are(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of five words there are 5 x 4 ordered pairs."""
    monkeypatch.setattr("study.data.synthetic.induction.NOUNS", NOUNS[:5])
    assert len(Induction(name="x", count=20, words=2).examples()) == 20
    with pytest.raises(InputError, match="data.count=21: with these options there are 20 questions"):
        Induction(name="x", count=21, words=2).examples()
