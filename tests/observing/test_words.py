"""Pieces to words: sums to a word, means from it, every character once."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from study.observing.words import mean_shares, most_attended, word_map, word_shares
from study.record.errors import InputError
from study.record.syntax import split_words

SPECIAL = (-1, -1)


def shares(spans, words, text="abcdefgh"):
    return word_shares(np.array(spans), words, text, "example 'x'")


def test_a_split_word_is_a_sum_to_and_a_mean_from() -> None:
    own = shares([SPECIAL, (0, 3), (4, 6), (6, 8), SPECIAL], [(0, 3), (4, 8)], "dog ants")
    assert own.tolist() == [[0, 0], [1, 0], [0, 1], [0, 1], [0, 0]]
    weights = np.arange(25.0).reshape(5, 5)
    words = word_map(weights, mean_shares(own), own)
    assert words.tolist() == [
        [weights[1, 1], weights[1, 2] + weights[1, 3]],
        [weights[2:4, 1].mean(), weights[2:4, 2:4].sum(axis=1).mean()],
    ]


def test_a_piece_of_two_words_is_shared_out_by_characters() -> None:
    own = shares([(0, 3), (3, 4), (4, 5)], [(0, 2), (2, 5)], "don't")
    assert own[0] == pytest.approx([2 / 3, 1 / 3])
    assert own[1:].tolist() == [[0, 1], [0, 1]]
    assert shares([(0, 2)], [(0, 2), (0, 2)], "du").tolist() == [[0.5, 0.5]]


@given(st.data())
def test_rows_still_sum_to_one_where_nothing_is_left_out(data) -> None:
    """However a text is cut into pieces and words, what a piece gives to pieces of words arrives at words."""
    length = data.draw(st.integers(1, 12))
    pieces, words = (sorted({0, length, *data.draw(st.lists(st.integers(1, length)))}) for _ in range(2))
    spans = list(pairwise(pieces))
    own = shares(spans, list(pairwise(words)), "x" * length)
    rng = np.random.default_rng(0)
    weights = rng.dirichlet(np.ones(len(spans)), size=(2, len(spans)))
    found = word_map(weights, mean_shares(own), own)
    assert found.sum(axis=-1) == pytest.approx(1)
    for word, share in enumerate(own.T):
        mean = (share[:, None] * weights).sum(axis=1) / share.sum()
        assert found[:, word] == pytest.approx(mean @ own)


def test_chunks_of_queries_add_up() -> None:
    own = shares([(0, 3), (3, 6), (6, 8)], [(0, 2), (2, 8)])
    weights = np.random.default_rng(1).random((4, 3, 3))
    mean = mean_shares(own)
    parts = sum(word_map(weights[:, at], mean[at], own) for at in (slice(0, 2), slice(2, 3)))
    assert parts == pytest.approx(word_map(weights, mean, own))


def test_most_attended_leaves_out_the_word_itself() -> None:
    maps = np.array(
        [[[0.9, 0.1, 0.0], [0.3, 0.4, 0.3], [0.2, 0.5, 0.3]], [[1.0, 0, 0], [0.2, 0.8, 0], [0.1, 0.3, 0.6]]]
    )
    row, column = most_attended(maps)
    assert row.tolist() == [[1, 0, 1], [-1, 0, 1]]  # the first of equals; the first word of a causal head sees no other
    assert column.tolist() == [[1, 2, 1], [1, 2, -1]]
    assert row.dtype == column.dtype == np.int16
    assert most_attended(np.ones((1, 1, 1)))[0].tolist() == [[-1]]


@pytest.mark.parametrize(
    ("spans", "words", "message"),
    [
        ([(0, 3)], [(0, 3), (4, 8)], r"does not read 'ants' \(characters 5 to 8 of 8\): the text is longer"),
        ([(0, 3), (4, 7)], [(0, 3), (4, 8)], "does not read 'ants'"),
        ([(0, 3), (4, 8)], [(0, 3)], "'a', character 5, is in no word"),
        ([(0, 3), (4, 9)], [(0, 3), (4, 8)], "characters 1 to 9 are not in a text of 8"),
    ],
)
def test_what_does_not_spell_the_text_is_refused(spans, words, message) -> None:
    with pytest.raises(InputError, match=f"example 'x'.*{message}"):
        shares(spans, words, "dog ants")


def test_a_tokenizer_may_drop_accents_and_not_letters() -> None:
    text = "cafe\u0301 \u200d"
    assert shares([(0, 4)], split_words(text)[:1], text[:5]).tolist() == [[1]]
    with pytest.raises(InputError, match="does not read"):
        shares([(0, 4)], split_words(text), text)
