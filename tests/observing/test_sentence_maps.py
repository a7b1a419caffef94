"""Whole maps are those of plain transformers, also under a mask, and their words are those of the text."""

from dataclasses import replace

import numpy as np
import polars as pl
import pytest
from fixtures import classifiers, language_models, translators
from fixtures.observing.by_hand import plain_weights

from study.certification.certify import columns_zeroed
from study.observing.maps import sentence_maps, side
from study.observing.observe import observe
from study.record.examples import Examples
from study.record.maps.stored_maps import StoredMaps
from study.record.tables import Maps
from study.record.units import AttentionKind, Head
from study.subjects.subject import Subject, TokenRow
from study.subjects.tokens.facts import describe

SUBJECTS = {
    "classifier": lambda: (classifiers.classifier("bert"), classifiers.examples(2)),
    "language model": lambda: (language_models.language_model("llama"), language_models.texts(2)),
    "translator": lambda: (translators.translator("fsmt"), translators.sentences(2)),
}


@pytest.fixture(scope="module", params=SUBJECTS)
def case(request: pytest.FixtureRequest) -> tuple[Subject, TokenRow]:
    subject, examples = SUBJECTS[request.param]()
    return subject, _row(subject, examples)


def _row(subject: Subject, examples: Examples) -> TokenRow:
    return replace(subject.encode(examples)[0], texts=examples.texts[0])


def test_maps_are_those_of_plain_transformers_also_under_a_mask(case: tuple[Subject, TokenRow]) -> None:
    subject, row = case
    passage = subject.passages(row)[0]
    off = subject.layout.without(subject.layout.heads[:1])
    for mask in (subject.layout.full(), off):
        found = sentence_maps(subject, row, mask)
        with columns_zeroed(subject, mask):
            plain = {(site.kind, site.layer): plain_weights(subject, passage, site) for site in subject.gate.sites}
        assert set(found.weights) == set(subject.layout.heads)
        for head, weights in found.weights.items():
            expected = plain[head.kind, head.layer][head.index].numpy()
            np.testing.assert_allclose(weights, expected, atol=1e-6)


def test_rows_of_the_table_are_the_same_maps(case: tuple[Subject, TokenRow]) -> None:
    subject, row = case
    rows = [row, replace(row, example="again")]
    columns = observe(subject, rows, np.stack([subject.layout.full()] * 2), [Maps()])[Maps()]
    kept = pl.DataFrame({"mask": [subject.layout.full_key] * 2, "example": ["a", "b"], **columns}).rows(named=True)
    expected = sentence_maps(subject, row)
    for stored in (StoredMaps.from_row(each, subject.layout) for each in kept):
        assert stored.source.words == expected.source.words
        for head, weights in stored.weights.items():
            np.testing.assert_allclose(weights / 255, expected.word_weights(head), atol=0.5 / 255 + 1e-5)


def test_words_spell_the_text(case: tuple[Subject, TokenRow]) -> None:
    subject, row = case
    found = sentence_maps(subject, row, layers=(0,))
    assert {head.layer for head in found.weights} == {0}
    words = [word for word, mark in zip(found.source.words, found.source.special_words, strict=True) if not mark]
    text = "".join(" ".join(row.texts).split())
    assert text.startswith("".join("".join(words).split()))
    assert len("".join(words)) > len(text) / 2, "language models read all but the last token"


def test_a_token_with_parts_of_two_words_makes_one_of_them() -> None:
    text = "I don't know"
    pieces = ("[CLS]", "i", "don", "'t", "kn", "##ow", "[SEP]")
    spans = [(-1, -1), (0, 1), (2, 5), (5, 7), (8, 10), (10, 12), (-1, -1)]
    facts = describe(range(7), pieces, special=(0, 6), beginnings=(0,), separators=(6,), spans=spans)
    found = side(facts, (text,))
    assert found.words == ("[CLS]", "I", "don", "'t", "know", "[SEP]")
    assert found.tokens == ("[CLS]", "I", "don", "'t", "kn", "##ow", "[SEP]")
    ud = side(facts, (text,), [(0, 1), (2, 4), (4, 7), (8, 12)])
    assert ud.words == ("[CLS]", "I", "don't", "know", "[SEP]")
    assert ud.word_of.tolist() == [0, 1, 2, 2, 3, 3, 4]


def test_heads_that_are_off_look_on_and_layers_above_change() -> None:
    subject = classifiers.classifier("bert")
    row = _row(subject, classifiers.examples(1))
    before, after = (
        sentence_maps(subject, row, mask)
        for mask in (None, subject.layout.without_layer((AttentionKind.ENCODER_SELF, 0)))
    )
    first = Head.parse("encoder_self.0.0")
    np.testing.assert_array_equal(before.weights[first], after.weights[first])
    assert max(np.abs(before.weights[h] - after.weights[h]).max() for h in before.weights if h.layer == 1) > 1e-4
