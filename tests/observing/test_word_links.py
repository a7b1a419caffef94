"""What a probe reads of real models: maps between words as `word_patterns` has them, and what stands at the ends."""

from dataclasses import replace

import numpy as np
from fixtures import language_models, translators
from fixtures.observing.by_hand import plain_weights

from study.observing.probing.word_links import read_heads, read_links
from study.observing.word_patterns import word_patterns
from study.record.syntax import split_words
from study.record.units import AttentionKind

TEXT = "the older man saw smaller trees by daylight"
HALF = 1e-3
"""Maps are kept in half precision."""


def test_maps_of_a_language_model_are_between_its_words_and_what_opens_the_text() -> None:
    subject = language_models.language_model("llama", own=language_models.tokenizer(begins=True))
    examples = replace(language_models.texts(1), texts=((TEXT,),))
    row = replace(subject.encode(examples)[0], texts=(TEXT,), words=split_words(TEXT))
    (links,) = read_links(subject, [row])
    words, (passage,) = len(row.words), subject.passages(row)
    assert links.has_ends
    assert links.num_words == words
    for site, maps in word_patterns(subject, row):
        own = links.maps[subject.layout.columns(site.kind, site.layer)]
        np.testing.assert_allclose(own[:, :words, :words], maps, atol=HALF)
        plain = plain_weights(subject, passage, site).numpy()
        np.testing.assert_allclose(own[:, words, words], plain[:, 0, 0], atol=HALF)
        assert (own[:, words + 1] == 0).all(), "it reads nothing that closes a text"
        np.testing.assert_allclose(own[:, :words].sum(-1), 1, atol=5 * HALF)


def test_of_a_translator_the_encoder_is_read() -> None:
    subject, examples = translators.translator("fsmt"), translators.sentences(2)
    rows = [replace(row, texts=texts) for row, texts in zip(subject.encode(examples), examples.texts, strict=True)]
    heads = read_heads(subject.layout)
    assert {head.kind for head in heads} == {AttentionKind.ENCODER_SELF}
    for row, links in zip(rows, read_links(subject, rows), strict=True):
        assert links.maps.shape[0] == len(heads)
        for site, maps in word_patterns(subject, row):
            if site.kind is AttentionKind.ENCODER_SELF:
                own = links.maps[subject.layout.columns(site.kind, site.layer)]
                np.testing.assert_allclose(own[:, : maps.shape[1], : maps.shape[2]], maps, atol=HALF)
