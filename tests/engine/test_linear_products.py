"""Which product a linear layer runs on changes its speed alone, and is found as blocks are computed."""

import pytest
import torch
from torch.nn import functional

from study.engine.weights import linear
from study.engine.weights.linear import Linear


@pytest.mark.parametrize("packed_is_faster", [False, True])
def test_products_are_compared_on_one_workers_share(monkeypatch: pytest.MonkeyPatch, packed_is_faster: bool) -> None:
    """Three threads are three workers with one thread each; afterwards there are three again."""
    shares = []

    def seconds(ways: tuple) -> list[float]:
        shares.append(torch.get_num_threads())
        assert len(ways) == 2
        return [1.0, 2.0] if packed_is_faster else [2.0, 1.0]

    monkeypatch.setattr(linear, "_seconds", seconds)
    monkeypatch.setattr(linear, "_packing_pays", linear._packing_pays.__wrapped__)
    threads, x, weight, bias = torch.get_num_threads(), *map(torch.randn, ((5, 24), (16, 24), (16,)))
    torch.set_num_threads(3)
    try:
        product = Linear(weight, bias)
        assert torch.get_num_threads() == 3
    finally:
        torch.set_num_threads(threads)
    assert set(shares) <= {1}  # none where there is no packed product
    assert (product._packed is not None) == (packed_is_faster and bool(shares))
    expected = functional.linear(x.double(), weight.double(), bias.double())
    torch.testing.assert_close(product(x).double(), expected, rtol=1e-5, atol=1e-5)


def test_seconds_of_ways_in_turns() -> None:
    turns = []
    found = linear._seconds([lambda: turns.append("a"), lambda: turns.append("b")])
    assert len(found) == 2
    assert min(found) >= 0
    assert turns == ["a", "b"] * linear.CALIBRATION_ROUNDS
