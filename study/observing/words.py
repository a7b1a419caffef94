"""From the pieces of a tokenizer to the words of a text, by the characters that they have in common.

Attention *to* a word that is split is the sum over its pieces, *from* it the mean (Clark et al. 2019, section 4.1). A
piece may spell parts of several words: BERT reads `don't` as `don ' t`, where a treebank has `do` and `n't`, and the
words of a contraction such as `du` share their characters. Its weight is then shared out by characters, so that none is
lost or counted twice.
"""

import unicodedata
from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool, Float, Int

from study.record.errors import InputError
from study.record.syntax import Span


def word_shares(
    spans: Int[np.ndarray, "pieces 2"], words: Sequence[Span], text: str, where: str
) -> Float[np.ndarray, "pieces words"]:
    """The share of each piece in each word.

    Args:
        spans: the characters of the text that each piece stands for; an empty span, such as (-1, -1), for none: special
            tokens, pieces of another text.
        words: where each word stands.
        text: what pieces and words are parts of.
        where: the text's name in errors.

    Returns:
        Shares from 0 to 1: rows sum to 1, or to 0 for pieces of no word.

    Raises:
        InputError: when a word has characters that no piece stands for, or a piece characters of no word.
    """
    bounds = np.asarray(words, dtype=np.int64).reshape(-1, 2)
    common = np.minimum(spans[:, None, 1], bounds[None, :, 1]) - np.maximum(spans[:, None, 0], bounds[None, :, 0])
    common = np.where(spans[:, :1] < spans[:, 1:], np.maximum(common, 0), 0)
    _require_cover(spans, bounds, text, where)
    total = common.sum(axis=1, keepdims=True)
    return np.divide(common, total, out=np.zeros(common.shape), where=total > 0)


def mean_shares(shares: Float[np.ndarray, "pieces words"]) -> Float[np.ndarray, "pieces words"]:
    """Weights of the mean over the pieces of each word: columns sum to 1, or to 0 for a word of no piece."""
    total = shares.sum(axis=0)
    return np.divide(shares, total, out=np.zeros(shares.shape), where=total > 0)


def word_map(
    weights: Float[np.ndarray, "*heads queries keys"],
    queries: Float[np.ndarray, "queries words"],
    keys: Float[np.ndarray, "keys other_words"],
) -> Float[np.ndarray, "*heads words other_words"]:
    """Attention between words: from each the mean over its pieces, to each the sum.

    It is linear in the weights, so that a chunk of queries with its rows of `mean_shares` gives a part of the sum.

    Args:
        weights: attention between pieces.
        queries: `mean_shares` of the pieces that attend.
        keys: `word_shares` of the pieces that are attended to.
    """
    return queries.T @ weights @ keys


def most_attended(
    maps: Float[np.ndarray, "heads words words"],
) -> tuple[Int[np.ndarray, "heads words"], Int[np.ndarray, "heads words"]]:
    """The word that each word attends to most, and the word that attends to it most; itself is left out.

    Returns:
        By head and word, numbers of words from 0 as int16; the first of equals, and -1 where no word has any weight,
        as for the first word of a causal model.
    """
    others = np.where(np.eye(maps.shape[-1], dtype=bool), 0.0, maps)
    return _largest(others, 2), _largest(others, 1)


def _largest(maps: Float[np.ndarray, "heads words words"], axis: int) -> Int[np.ndarray, "heads words"]:
    if not maps.size:  # a text without words, such as the empty context of a choice
        return np.full((len(maps), maps.shape[3 - axis]), -1, dtype=np.int16)
    return np.where(maps.max(axis=axis) > 0, maps.argmax(axis=axis), -1).astype(np.int16)


def _require_cover(
    spans: Int[np.ndarray, "pieces 2"], words: Int[np.ndarray, "words 2"], text: str, where: str
) -> None:
    """Refuse words of which no piece, or not every character, is there, and pieces of no word."""
    by_piece, by_word = (_covered(bounds, len(text), where) for bounds in (spans, words))
    for start, end in words:
        lost = [at for at in range(start, end) if not by_piece[at]]
        if any(not _is_dropped(text[at]) for at in lost) or len(lost) == end - start:
            raise InputError(
                f"{where}: the model does not read '{text[start:end]}' (characters {start + 1} to {end} of "
                f"{len(text)}): the text is longer than it, or its tokenizer drops such characters"
            )
    for at in np.flatnonzero(by_piece & ~by_word):
        if not text[at].isspace():
            raise InputError(
                f"{where}: '{text[at]}', character {at + 1}, is in no word: the words do not spell the text"
            )


def _covered(bounds: Int[np.ndarray, "parts 2"], length: int, where: str) -> Bool[np.ndarray, " characters"]:
    """Which characters of a text are in any of these parts of it."""
    filled = bounds[bounds[:, 0] < bounds[:, 1]]
    if filled.size and (filled.min() < 0 or filled.max() > length):
        raise InputError(f"{where}: characters {filled.min() + 1} to {filled.max()} are not in a text of {length}")
    steps = np.zeros(length + 1, dtype=np.int64)
    np.add.at(steps, filled[:, 0], 1)
    np.add.at(steps, filled[:, 1], -1)
    return np.cumsum(steps)[:length] > 0


def _is_dropped(character: str) -> bool:
    """Whether tokenizers may leave a character out that belongs to a letter beside it: an accent, a joiner, a mark."""
    return unicodedata.category(character)[0] in "MC"
