"""Requests as trees of tokens."""

import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st

from study.engine.growing.branches import Branches
from study.engine.growing.token_tree import TokenTree, token_trees
from study.subjects.language_model.requests import Request

TOKENS = st.lists(st.integers(0, 3), min_size=1, max_size=5)
PAIRS = st.lists(st.tuples(TOKENS, TOKENS), min_size=1, max_size=5)


def path(tree: TokenTree, token: int) -> tuple[int, ...]:
    """What stands before a token in its own request, and itself."""
    return () if token < 0 else (*path(tree, tree.parents[token]), tree.tokens[token])


@given(PAIRS, st.booleans())
def test_every_word_stands_behind_what_is_read_before_it(pairs: list[tuple[list[int], list[int]]], packs: bool) -> None:
    requests = [Request(tuple(context), tuple(continuation)) for context, continuation in pairs]
    trees = token_trees(requests, packs=packs)
    assert sorted(number for tree in trees for number in tree.requests) == list(range(len(requests)))
    for tree in trees:
        assert packs or tree.is_plain
        for number, words in zip(tree.requests, tree.scored, strict=True):
            request, text = requests[number], requests[number].context + requests[number].continuation
            assert [tree.words[word][1] for word in words] == list(request.continuation)
            before = [path(tree, tree.words[word][0]) for word in words]
            assert before == [text[:length] for length in range(len(request.context), len(text))]
        for token, parent in enumerate(tree.parents):
            assert parent < token
            assert tree.positions[token] == len(path(tree, token)) - 1
            assert tree.visible[token].sum() == len(path(tree, token))
        assert len(set(tree.words)) == len(tree.words)


def test_nothing_is_read_twice() -> None:
    requests = [Request((1, 2, 3), (4, 5)), Request((1, 2, 3), (4, 6, 7)), Request((1, 2, 3), (8,))]
    (tree,) = token_trees(requests, packs=True)
    assert tree.tokens == (1, 2, 3, 4, 6)
    assert tree.parents == (-1, 0, 1, 2, 3)
    assert tree.words == ((2, 4), (3, 6), (4, 7), (3, 5), (2, 8))
    assert tree.is_plain


def test_equal_choices_and_a_choice_that_another_begins_with_are_both_scored() -> None:
    requests = [Request((1,), (2, 3)), Request((1,), (2, 3)), Request((1,), (2,))]
    (tree,) = token_trees(requests, packs=False)
    assert tree.requests == (0, 1, 2)
    assert tree.scored == ((0, 1), (0, 1), (0,))


def test_what_shares_little_stays_apart() -> None:
    windows = [Request((0,), tuple(range(1, 40))), Request((0,), tuple(range(50, 90)))]
    assert len(token_trees(windows, packs=True)) == 2


def test_tokens_are_shared_no_longer_than_asked() -> None:
    requests = [Request((1, 2), (3, 4, 5)), Request((1, 2), (3, 4, 6))]
    tree = TokenTree.grown(requests, range(2), shared=2)
    assert tree.tokens == (1, 2, 3, 4, 3, 4)
    assert tree.parents == (-1, 0, 1, 2, 1, 4)


def test_masks_of_packed_sequences_keep_windows_and_biases() -> None:
    """Tokens 0 1 2 and two branches: 3 4 behind 2, and 5 behind 1."""
    tree = TokenTree((0,), tuple(range(6)), (-1, 0, 1, 2, 3, 1), (0, 1, 2, 3, 4, 2), ((5, 0),), ((0,),))
    branches = Branches(torch.tensor([tree.positions]), torch.from_numpy(tree.visible)[None])
    assert branches.mask(None)[0, 0].tolist() == tree.visible.tolist()
    distance = torch.arange(6)[:, None] - torch.arange(6)
    window = ((distance >= 0) & (distance < 2))[None, None]
    seen = branches.mask(window)[0, 0]
    assert [np.flatnonzero(row).tolist() for row in seen.numpy()] == [[0], [0, 1], [1, 2], [2, 3], [3, 4], [1, 5]]
    bias = torch.where(distance >= 0, -0.5 * distance, torch.finfo(torch.float32).min)[None, None]
    added = branches.mask(bias)[0, 0]
    assert added[5].tolist() == [-1.0, -0.5, *[torch.finfo(torch.float32).min] * 3, 0.0]
    assert branches.mask(window) is branches.mask(window)
