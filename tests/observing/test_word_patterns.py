"""Attention between words, against sums and means over pieces by hand, and what an engine is given for its tables."""

from dataclasses import replace

import numpy as np
import pytest
from fixtures import classifiers, language_models, translators
from fixtures.observing.by_hand import plain_weights

from study.observing.maps import sentence_maps
from study.observing.observe import observe
from study.observing.patterns import PatternError
from study.observing.word_patterns import word_patterns
from study.record.errors import InputError
from study.record.examples import Examples, Varies
from study.record.syntax import split_words
from study.record.tables import AttendedWords, Attention, Divergence, Special
from study.record.units import AttentionKind
from study.subjects.subject import TokenRow

TEXT = "the older man saw smaller trees by daylight"


def _row() -> tuple[language_models.LanguageModel, TokenRow]:
    subject = language_models.language_model("llama", own=language_models.tokenizer(begins=True))
    examples = replace(language_models.texts(1), texts=((TEXT,),))
    row = replace(subject.encode(examples)[0], texts=(TEXT,), words=split_words(TEXT))
    return subject, row


def test_to_a_split_word_the_sum_and_from_it_the_mean() -> None:
    subject, row = _row()
    (passage,) = subject.passages(row)
    spans = [tuple(span) for span in passage.source.spans.tolist()]
    pieces = [[i for i, (a, b) in enumerate(spans) if a >= start and b <= end and a >= 0] for start, end in row.words]
    assert max(map(len, pieces)) > 1
    for site, maps in word_patterns(subject, row):
        plain = plain_weights(subject, passage, site).numpy()
        by_hand = [[plain[:, own][:, :, to].sum(2).mean(1) for to in pieces] for own in pieces]
        np.testing.assert_allclose(maps, np.array(by_hand).transpose(2, 0, 1), atol=1e-6)


def test_maps_of_a_translation_are_between_its_two_texts() -> None:
    subject, examples = translators.translator("fsmt"), translators.sentences(1)
    row = replace(subject.encode(examples)[0], texts=examples.texts[0])
    words, others = len(examples.texts[0][0].split()), len(examples.targets[0].split())
    shapes = {site.kind: maps.shape[1:] for site, maps in word_patterns(subject, row)}
    assert shapes == {
        AttentionKind.ENCODER_SELF: (words, words),
        AttentionKind.DECODER_SELF: (others, others),
        AttentionKind.CROSS: (others, words),
    }


def test_texts_whose_pieces_are_not_placed_are_refused() -> None:
    subject = classifiers.classifier("bert")
    (row,) = subject.encode(classifiers.examples(1))
    with pytest.raises(InputError, match="where the pieces of its tokenizer stand in the text is not known"):
        list(word_patterns(subject, replace(row, texts=("other words",))))


def test_tables_of_one_pass_are_those_of_each_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    subject, row = _row()
    masks = subject.layout.full()[None]
    tables = [Attention(), Attention(Special.left_out), Divergence(), AttendedWords()]
    together = observe(subject, [row], masks, tables)
    for table in tables:
        for name, values in observe(subject, [row], masks, [table])[table].items():
            np.testing.assert_array_equal(together[table][name], values, err_msg=f"{table.name} {name}")
    assert not np.array_equal(together[tables[0]]["queries"], together[tables[1]]["queries"])


def test_the_word_of_the_largest_weight() -> None:
    subject, row = _row()
    words, heads = len(row.words), len(subject.layout)
    found = observe(subject, [row], subject.layout.full()[None], [AttendedWords()])[AttendedWords()]
    chosen = np.reshape(found["row"][0], (heads, words))
    for site, maps in word_patterns(subject, row):
        own = subject.layout.columns(site.kind, site.layer)
        others = np.where(np.eye(words, dtype=bool), -1, maps)
        assert (chosen[own, 1:] == others.argmax(2)[:, 1:]).all()
        assert (chosen[own, 0] == -1).all()  # before the first word there is no other


def test_words_of_a_text_longer_than_the_model_are_refused() -> None:
    subject = language_models.language_model("llama", window=4)
    examples = replace(language_models.texts(1), texts=((TEXT,),))
    row = replace(subject.encode(examples)[0], texts=(TEXT,), words=split_words(TEXT))
    with pytest.raises(InputError, match="longer than"):
        observe(subject, [row], subject.layout.full()[None], [AttendedWords()])


def test_divergences_of_a_text_that_is_too_long_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    subject, row = _row()
    monkeypatch.setattr("study.observing.divergence.MOST_WEIGHTS", 8)
    with pytest.raises(PatternError, match="choose shorter texts"):
        observe(subject, [row], subject.layout.full()[None], [Divergence()])


@pytest.mark.parametrize("varies", list(Varies))
@pytest.mark.parametrize("begins", [False, True])
def test_words_of_a_choice_are_those_of_the_context_and_of_the_right_continuation(varies: Varies, begins: bool) -> None:
    subject = language_models.language_model("llama", own=language_models.tokenizer(begins=begins))
    texts = (
        ("the older man", " saw smaller trees", " saw the man")
        if varies is Varies.CONTINUATION
        else (" saw smaller trees", "the man", "the older man")
    )
    right = texts[1] if varies is Varies.CONTINUATION else texts[2]
    target = "0" if varies is Varies.CONTINUATION else "1"
    examples = Examples(("a",), (texts,), (target,), varies=varies)
    row = replace(subject.encode(examples)[0], texts=texts)
    (passage,) = subject.passages(row)
    facts = passage.source
    for number, text in ((0, texts[0]), (texts.index(right), right)):
        spelled = [text[start:end] for start, end in facts.spans[facts.text == number].tolist()]
        assert "".join(spelled) == text.replace(" ", "")
    assert set(facts.text.tolist()) == ({-1} if begins else set()) | {0, texts.index(right)}
    words = ["the", "older", "man", "saw", "smaller", "trees"]
    assert list(sentence_maps(subject, row).source.words)[-6:] == words
    for _, maps in word_patterns(subject, row):
        assert maps.shape[1:] == (6, 6)
    found = observe(subject, [row], subject.layout.full()[None], [AttendedWords()])[AttendedWords()]
    assert len(found["row"][0]) == 3 * len(subject.layout), "a word of the first text for each head"


def test_an_empty_context_has_no_words() -> None:
    subject = language_models.language_model("llama")
    texts = ("", "the older man", "the man")
    row = replace(subject.encode(Examples(("a",), (texts,), ("0",)))[0], texts=texts)
    found = observe(subject, [row], subject.layout.full()[None], [AttendedWords()])[AttendedWords()]
    assert [len(own) for own in found["row"]] == [0]
