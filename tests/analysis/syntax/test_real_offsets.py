"""The best fixed offset of each relation of EWT dev, against counts by another program."""

import os
from pathlib import Path

import numpy as np
import pytest

from analysis.syntax.relation_sums import OFFSETS, relation_sums
from analysis.syntax.word_choices import WordChoices
from study.data.syntax.conllu_file import read_sentences
from study.record.examples import Examples

REAL = os.environ.get("HEADS_REAL")
DATA = Path(REAL or ".") / "data" / "ud"
pytestmark = [pytest.mark.real, pytest.mark.skipif(REAL is None, reason="HEADS_REAL is not set")]

COUNTED = {
    "all": (29.1, 1),
    "all_but_punct": (31.4, 1),
    "det": (59.6, 1),
    "case": (37.7, 1),
    "nsubj": (36.5, 1),
    "obj": (35.8, -2),
    "amod": (74.7, 1),
    "compound": (82.5, 1),
    "advmod": (45.8, 1),
    "nmod:poss": (58.1, 1),
    "mark": (52.3, 1),
    "ccomp": (25.0, -3),
    "xcomp": (56.2, -2),
    "conj": (26.6, -2),
    "aux:pass": (82.7, 1),
    "cop": (35.2, 1),
}
"""Accuracy in percent, and the offset; sentences of one word, and roots, count in the first two."""


def test_offsets_of_a_treebank() -> None:
    sentences = read_sentences(DATA / "en_ewt-ud-dev.conllu")
    trees = tuple(sentence.tree for sentence in sentences)
    texts = tuple((sentence.text,) for sentence in sentences)
    examples = Examples(tuple(sentence.name for sentence in sentences), texts, ("",) * len(texts), trees=trees)
    lengths = np.array([len(tree) for tree in trees])
    none = np.full((1, lengths.sum()), -1)
    sums = relation_sums(examples.to_frame(), WordChoices(none, none, lengths, np.arange(len(trees))))
    hits, cases = sums.offsets.sum(axis=0), sums.cases.sum(axis=0)
    found = {
        relation: (round(100 * own.max() / count, 1), OFFSETS[own.argmax()])
        for relation, own, count in zip(sums.relations, hits, cases, strict=True)
    }
    assert {relation: found[relation] for relation in COUNTED} == COUNTED
