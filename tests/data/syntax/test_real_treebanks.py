"""The English treebanks at hand: every text is spelled by its words, and counts are those of the files."""

import os
from pathlib import Path

import pytest

from study.data.syntax.conllu_file import read_sentences

REAL = os.environ.get("HEADS_REAL")
DATA = Path(REAL or ".") / "data" / "ud"
pytestmark = [pytest.mark.real, pytest.mark.skipif(REAL is None, reason="HEADS_REAL is not set")]


@pytest.mark.parametrize(
    ("file", "sentences", "words", "documents", "genres"),
    [
        ("en_ewt-ud-dev", 2001, 25147, 318, 5),
        ("en_ewt-ud-test", 2077, 25094, 316, 5),
        ("en_gum-ud-dev", 1575, 28119, 30, 15),
        ("en_pud-ud-test", 1000, 21180, 397, 1),
    ],
)
def test_treebanks(file: str, sentences: int, words: int, documents: int, genres: int) -> None:
    found = read_sentences(DATA / f"{file}.conllu")
    assert len(found) == sentences
    assert sum(len(sentence.tree) for sentence in found) == words
    assert len({sentence.document for sentence in found}) == documents
    assert len({sentence.genre for sentence in found}) == genres  # PUD tells none
