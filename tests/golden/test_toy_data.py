"""The toy languages as they were first made: trainings and results in the world rest on these very examples.

Code that makes others must take another name in `study.toy.sources` (`NLI_MAKER` ...).
"""

import pytest

from study.toy.induction import InductionDomain
from study.toy.luck import LuckDomain
from study.toy.nli import NliDomain
from study.toy.sources import ToyInduction, ToyLuck, ToyNli, ToyTranslation
from study.toy.translation import TranslationDomain

PAIRS = {
    ("TRAIN", 2000): "fd8614f9cf94",
    ("DEV", 300): "ca533164448f",
    ("MATCHED", 2000): "26c54e8fb482",
    ("MISMATCHED", 2000): "30718e6bc1af",
}
SENTENCES = {
    ("TRAIN", 8000): "f41d52640a88",
    ("VALID", 300): "2c673dd3071f",
    ("NEWS", 300): "817e32b4b663",
    ("CHAT", 300): "39a9a43cbaa8",
}
TEXTS = {
    ("TRAIN", 24000): "dba6d9e09f2a",
    ("DEV", 300): "be1d250a8a29",
    ("TEST", 300): "d06194b54254",
    ("LONG", 300): "e5b25fc1c221",
}
LUCK = {("TRAIN", 20000): "8fb5d72d1e0d", ("DEV", 300): "f0dedc8e54f1", ("TEST", 2000): "f373fbc2a311"}
"""The first twelve digits of the examples' digest, by domain and count."""


@pytest.mark.parametrize(("domain", "count"), PAIRS)
def test_pairs_stay(domain: str, count: int) -> None:
    examples = ToyNli(name="x", domain=NliDomain[domain], count=count).examples()
    assert examples.digest[:12] == PAIRS[domain, count]


@pytest.mark.parametrize(("domain", "count"), SENTENCES)
def test_sentences_stay(domain: str, count: int) -> None:
    examples = ToyTranslation(name="x", domain=TranslationDomain[domain], count=count).examples()
    assert examples.digest[:12] == SENTENCES[domain, count]


@pytest.mark.parametrize(("domain", "count"), TEXTS)
def test_texts_stay(domain: str, count: int) -> None:
    examples = ToyInduction(name="x", domain=InductionDomain[domain], count=count).examples()
    assert examples.digest[:12] == TEXTS[domain, count]


@pytest.mark.parametrize(("domain", "count"), LUCK)
def test_sentences_about_luck_stay(domain: str, count: int) -> None:
    examples = ToyLuck(name="x", domain=LuckDomain[domain], count=count).examples()
    assert examples.digest[:12] == LUCK[domain, count]
