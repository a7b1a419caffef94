"""The best next tokens of each hypothesis, against sorting all of them."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional

from study.subjects.decoding.top_tokens import BLOCK, CHUNK, TokenRequest, top_tokens


@settings(deadline=None, max_examples=40)
@given(
    rows=st.integers(1, 5),
    words=st.integers(4, 20 * BLOCK),
    number=st.integers(1, 12),
    whole_blocks=st.booleans(),
    seed=st.integers(0, 99),
)
def test_they_are_the_first_of_all_in_order(rows: int, words: int, number: int, whole_blocks: bool, seed: int) -> None:
    """Words are filled up to whole blocks by the search, or before it where they are more than are asked for."""
    generator = torch.Generator().manual_seed(seed)
    logits = torch.randn(rows, words, generator=generator) * 4
    end, banned = torch.randint(words, (2,), generator=generator).tolist()
    filled = functional.pad(
        logits, (0, -words % BLOCK if words > number * BLOCK and whole_blocks else 0), value=-torch.inf
    )
    found = top_tokens(filled, torch.clone, TokenRequest(number, end, (banned,)))
    logprobs = logits.log_softmax(-1)
    torch.testing.assert_close(found.ends, logprobs[:, end])
    logprobs[:, banned] = -torch.inf
    expected = logprobs.sort(dim=1, descending=True)
    some = min(number, words)
    torch.testing.assert_close(found.logprobs, expected.values[:, :some])
    assert found.tokens.equal(expected.indices[:, :some])


@pytest.mark.parametrize("rows", [1, CHUNK - 1, CHUNK + 1])
def test_hypotheses_stay_in_their_order_over_chunks(rows: int) -> None:
    states, weight = torch.randn(rows, 8), torch.randn(3 * BLOCK, 8)
    found = top_tokens(states, lambda some: some @ weight.T, TokenRequest(2, 0, ()))
    expected = (states @ weight.T).log_softmax(-1).topk(2)
    assert found.tokens.equal(expected.indices)
    torch.testing.assert_close(found.logprobs, expected.values)
