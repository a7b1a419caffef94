"""Words by white space and punctuation, in several scripts."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from study.record.syntax import split_words
from study.record.syntax.words import is_punctuation


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("A b1c,  (d)!\n", ["A", "b1c", ",", "(", "d", ")", "!"]),
        ("don't", ["don", "'", "t"]),
        ("cafe\u0301 naïve", ["cafe\u0301", "naïve"]),
        ("यह हिन्दी है।", ["यह", "हिन्दी", "है", "।"]),
        ("我爱北京。", ["我", "爱", "北", "京", "。"]),
        ("ดี มาก", ["ดี", "มาก"]),
        ("5 € \U0001f600", ["5", "€", "\U0001f600"]),
        (" \u00a0", []),
    ],
)
def test_words_of_a_text(text, words) -> None:
    assert [text[start:end] for start, end in split_words(text)] == words


@given(st.text())
def test_words_cover_all_but_blanks_once(text) -> None:
    spans = split_words(text)
    assert all(a[1] <= b[0] for a, b in pairwise(spans))
    left = set(range(len(text))) - {at for start, end in spans for at in range(start, end)}
    assert all(text[at].isspace() for at in left)


def test_punctuation_has_neither_letter_nor_digit() -> None:
    assert [word for word in ("a", ".", "--", "€", "4", "4.", "…") if is_punctuation(word)] == [".", "--", "€", "…"]
