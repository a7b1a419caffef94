"""Gates of exactly K heads against draws without replacement, brute force and finite differences."""

from collections import Counter
from itertools import permutations
from math import exp
from pathlib import Path

import pytest
import torch
from fixtures.cases import build
from fixtures.language_models import DECODERS

from study.gates.make import learned_gates
from study.gates.options import Subset
from study.gates.subset import SubsetGates, soft_top
from study.masking.gate import Gate
from study.record.errors import InputError
from study.record.units import AttentionKind, HeadLayout
from study.training.gate_learner import gate_learner

LAYOUT = HeadLayout({AttentionKind.ENCODER_SELF: [3, 3], AttentionKind.CROSS: [2]})


def gates_of(keep: int, *weights: float, **options) -> SubsetGates:
    gates = SubsetGates(Subset(keep=keep, **options), LAYOUT.heads[: len(weights) or 8], seed=3)
    if weights:
        gates.weights.data = torch.tensor(weights)
    return gates


@pytest.mark.parametrize("temperature", [1000.0, 1.0, 0.1, 1e-3, 1e-8])
@pytest.mark.parametrize("number", [1, 3, 8])
def test_gates_sum_to_their_number_and_have_a_gradient(temperature: float, number: int) -> None:
    keys = torch.randn(8, dtype=torch.float64, generator=torch.Generator().manual_seed(0)).requires_grad_()
    gates = soft_top(keys, number, temperature)
    assert gates.sum().item() == pytest.approx(number, rel=1e-12)
    gates.square().sum().backward()
    assert keys.grad.isfinite().all()


def test_at_a_low_temperature_they_are_the_largest_keys() -> None:
    keys = torch.tensor([0.3, -1.0, 2.0, 0.31, 0.0], dtype=torch.float64)
    assert torch.allclose(soft_top(keys, 3, 1e-8), torch.tensor([1.0, 0, 1, 1, 0], dtype=torch.float64), atol=1e-9)
    assert torch.allclose(soft_top(keys, 2, 1e6), torch.full((5,), 0.4, dtype=torch.float64), atol=1e-5)


def test_the_gradient_of_a_soft_choice_is_that_of_finite_differences() -> None:
    keys = torch.randn(6, dtype=torch.float64, generator=torch.Generator().manual_seed(1)).requires_grad_()
    for number, temperature in ((1, 1.0), (3, 0.5), (5, 20.0)):
        assert torch.autograd.gradcheck(lambda one: soft_top(one, number, temperature), keys)  # noqa: B023


@torch.no_grad()
def test_draws_are_those_without_replacement_by_the_weights() -> None:
    """The share of each pair of four heads, against the sum over its orders (Plackett and Luce)."""
    weights = (0.0, 0.7, -0.9, 1.4)
    gates, draws = gates_of(2, *weights, temperature=1e-8, final_temperature=1e-8), 4000
    counts = Counter(tuple(gates.draw(1.0).round().nonzero()[:, 0].tolist()) for _ in range(draws))
    total = sum(map(exp, weights))
    shares = dict.fromkeys(counts, 0.0)
    for first, second in permutations(range(4), 2):
        chance = exp(weights[first]) / total * exp(weights[second]) / (total - exp(weights[first]))
        shares[tuple(sorted((first, second)))] += chance
    assert sum(shares.values()) == pytest.approx(1)
    for pair, share in shares.items():
        assert abs(counts[pair] / draws - share) <= 4.5 * (share * (1 - share) / draws) ** 0.5


def test_the_temperature_falls_by_equal_factors_until_the_cooldown_ends() -> None:
    gates = gates_of(2, temperature=1000.0, final_temperature=1e-3, cooldown=0.5)
    found = [gates.temperature(at) for at in (0.0, 0.25, 0.5, 1.0)]
    assert found == pytest.approx([1000, 1, 1e-3, 1e-3])


def test_straight_through_goes_forward_hard_and_back_as_the_identity() -> None:
    gates = gates_of(2, 0.1, 0.9, -0.4, 0.3, straight_through=True)
    drawn = gates.draw(0.0)
    assert drawn.tolist() == [0, 1, 0, 1]
    factors = torch.tensor([1.0, -2.0, 3.0, 0.5])
    (drawn * factors).sum().backward()
    assert torch.equal(gates.weights.grad, factors)


@torch.no_grad()
def test_straight_through_is_exactly_zero_or_one_whatever_the_weights() -> None:
    gates = gates_of(3, straight_through=True)
    for seed in range(50):
        gates.weights.copy_(3 * torch.randn(8, generator=torch.Generator().manual_seed(seed)))
        assert torch.equal(gates.draw(0.0), gates.keeps().float())


@torch.no_grad()
def test_the_heads_of_largest_weight_stay_with_one_of_each_kind_where_asked() -> None:
    weights = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, -1.0, -0.9)
    assert gates_of(3, *weights).named(gates_of(3, *weights).keeps()) == (
        "encoder_self.1.0",
        "encoder_self.1.1",
        "encoder_self.1.2",
    )
    kept = gates_of(3, *weights, one_a_kind=True)
    assert kept.named(kept.keeps()) == ("encoder_self.1.1", "encoder_self.1.2", "cross.0.1")


def test_a_needed_head_is_kept_among_others() -> None:
    """The loss is (1 - g)^2 summed over two heads of eight: these are the two that stay, soft or straight through."""
    for straight_through in (False, True):
        gates = gates_of(2, straight_through=straight_through, temperature=10.0, final_temperature=1e-3)
        optimizer = torch.optim.Adam(gates.parameters(), lr=0.1)
        for step in range(200):
            optimizer.zero_grad()
            (1 - gates.draw(step / 200)[[2, 7]]).square().sum().backward()
            optimizer.step()
        assert gates.keeps().nonzero()[:, 0].tolist() == [2, 7]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"keep": 9}, "gates.keep=9, and the model has 8 heads"),
        ({"keep": 3, "scope": [AttentionKind.CROSS]}, "gates.keep=3, and the model has 2 heads"),
        ({"keep": 1, "one_a_kind": True}, "gates.keep=1 is less than a head of each kind"),
        ({"keep": 1, "scope": [AttentionKind.DECODER_SELF]}, "gates.scope has decoder_self"),
    ],
)
def test_what_cannot_be_kept_is_refused(options: dict, message: str) -> None:
    with pytest.raises(InputError, match=message):
        learned_gates(Subset(**options), LAYOUT, seed=0)


def test_a_subset_that_is_decided_while_it_is_hot_is_told_of(caplog: pytest.LogCaptureFixture, tmp_path: Path) -> None:
    gate = Gate.on(build(DECODERS["llama"]), causal=True)
    for options, told in (
        ({"until": 0.5}, True),
        ({"until": 0.5, "cooldown": 0.5}, False),
        ({"until": 0.5, "straight_through": True}, False),
    ):
        caplog.clear()
        gate_learner(Subset(keep=2, **options), gate, updates=40, seed=0, folder=tmp_path)
        assert ("gates.cooldown=0.5 lets it fall in time" in caplog.text) is told
