"""Published questions, pairs and texts in files of their own, against the counts published with them."""

import os
from pathlib import Path

import pytest

from study.data.language.choices_file import ChoicesFile
from study.data.language.documents import DocumentKind
from study.data.language.pairs_file import PairsFile
from study.data.language.texts import TextFile

REAL = os.environ.get("HEADS_REAL")
DATA = Path(REAL or ".") / "data"
pytestmark = [pytest.mark.real, pytest.mark.skipif(REAL is None, reason="HEADS_REAL is not set")]


@pytest.mark.parametrize(
    ("file", "rows", "choices"), [("ioi", 499, {2}), ("piqa_dev", 1838, {2}), ("hellaswag_first2000", 2000, {4})]
)
def test_questions(file: str, rows: int, choices: set[int]) -> None:
    examples = ChoicesFile(name="x", path=DATA / "lm" / f"{file}.jsonl").examples()
    assert len(examples) == rows
    assert {len(texts) - 1 for texts in examples.texts} == choices
    for counts, texts in zip(examples.counts["characters"], examples.texts, strict=True):
        assert [count + 1 for count in counts] == [len(text) for text in texts[1:]]  # the blank before each


def test_minimal_pairs() -> None:
    examples = PairsFile(name="x", path=DATA / "blimp" / "blimp.jsonl", group="paradigm").examples()
    assert (len(examples), len(set(examples.columns["group"]))) == (6700, 67)


def test_articles_of_wikitext() -> None:
    """The test set has 62 pages in the data set that lm-evaluation-harness reads."""
    file = DATA / "lm" / "wikitext2_test.txt"
    examples = TextFile(name="x", path=file, document=DocumentKind.article, detokenise=True).examples()
    assert len(examples) == len(set(examples.columns["group"])) == 62
    assert sum(count for (count,) in examples.counts["bytes"]) == pytest.approx(file.stat().st_size, rel=1e-3)
    assert not any(" @-@ " in text or " , " in text for (text,) in examples.texts)
