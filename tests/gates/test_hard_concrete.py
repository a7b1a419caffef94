"""Hard Concrete gates against samples of them, finite differences, and what papers say."""

import numpy as np
import pytest
import torch

from study.gates.hard_concrete import HardConcreteGates
from study.gates.options import GATES, HardConcrete, Reduction
from study.record.units import AttentionKind, Head, HeadLayout

LAYOUT = HeadLayout({AttentionKind.ENCODER_SELF: [4, 4], AttentionKind.CROSS: [3]})
PLACES = (-4.0, -2.0, -0.79, -0.3, 0.0, 0.3, 0.79, 2.0, 4.0)


def gates_at(*log_alpha: float, **options) -> HardConcreteGates:
    """A gate at each of these places."""
    heads = [Head(AttentionKind.ENCODER_SELF, 0, i) for i in range(len(log_alpha))]
    gates = HardConcreteGates(HardConcrete(**options), heads, seed=7)
    gates.log_alpha.data = torch.tensor(log_alpha)
    return gates


@pytest.mark.parametrize("beta", [0.33, 0.5, 2 / 3])
@pytest.mark.parametrize(("gamma", "zeta"), [(-0.1, 1.1), (-0.3, 1.05)])
@pytest.mark.parametrize("samples", [40_000, pytest.param(1_000_000, marks=pytest.mark.exhaustive)])
@torch.no_grad()
def test_closed_forms_are_those_of_samples(beta: float, gamma: float, zeta: float, samples: int) -> None:
    """P(0), P(1), P(open) and E[g] within four and a half standard errors."""
    gates = gates_at(*PLACES, beta=beta, gamma=gamma, zeta=zeta)
    drawn = gates.sample(samples).double()
    for found, closed in (
        (drawn == 0, gates.zero()),
        (drawn == 1, gates.one()),
        (drawn > 0, gates.open()),
        (drawn, gates.expected()),
    ):
        error = found.double().std(0) / samples**0.5
        assert torch.all((found.double().mean(0) - closed).abs() <= 4.5 * error + 3e-6)  # u stays 1e-6 from 0 and 1


@torch.no_grad()
def test_probabilities_add_up_and_the_expected_gate_is_that_of_a_fine_sum() -> None:
    gates = gates_at(*PLACES)
    assert torch.allclose(gates.zero() + gates.open(), torch.ones(len(PLACES)))
    assert torch.all(gates.one() < gates.open())
    u = (np.arange(200_000) + 0.5) / 200_000
    for place, expected in zip(PLACES, gates.expected().tolist(), strict=True):
        s = 1 / (1 + np.exp(-(np.log(u) - np.log1p(-u) + place) / 0.33))
        assert expected == pytest.approx(np.clip(1.2 * s - 0.1, 0, 1).mean(), abs=2e-6)


@torch.no_grad()
def test_numbers_of_the_papers() -> None:
    """P(open) = sigmoid(log a + .791) in the code; at 0 P(0) is .312 there, and at beta .5 the .23 of figure 6a."""
    gates = gates_at(*PLACES)
    assert torch.allclose(gates.open(), (gates.log_alpha + 0.791).sigmoid(), atol=1e-4)
    assert torch.allclose(gates.one(), (gates.log_alpha - 0.791).sigmoid(), atol=1e-4)
    assert gates_at(0.0).zero().item() == pytest.approx(0.312, abs=5e-4)
    assert gates_at(0.0, beta=0.5).one().item() == pytest.approx(0.23, abs=5e-3)


@torch.no_grad()
def test_rules_of_test_time() -> None:
    gates = gates_at(-2.41, -2.39, -0.01, 0.01, 2.39, 2.41)
    assert gates.keeps().tolist() == [False, False, False, True, True, True]
    code = gates.without_noise()
    assert (code[0], code[-1]) == (0, 1)
    assert torch.all((code[1:-1] > 0) & (code[1:-1] < 1))
    uneven = gates_at(0.0, 0.4, gamma=-0.5, zeta=1.01)
    assert uneven.keeps().tolist() == (uneven.one() > uneven.zero()).tolist() == [False, False]


def test_the_likeliest_heads_stay_where_their_number_is_given() -> None:
    """Also gates that are likelier 0; the constants of trainings without it are as they were."""
    heads = [Head(AttentionKind.ENCODER_SELF, 0, i) for i in range(5)]
    gates = HardConcreteGates(HardConcrete(top=3), heads, seed=0)
    gates.log_alpha.data = torch.tensor([-3.0, -1.0, 4.0, -5.0, -2.0])
    assert gates.keeps().tolist() == [False, True, True, False, True]
    assert HardConcreteGates(HardConcrete(top=5), heads, seed=0).keeps().all()
    assert "top" not in HardConcrete().identity()
    assert HardConcrete(top=3).identity() == {**HardConcrete().identity(), "top": 3}
    assert HardConcrete(top=3).words() != HardConcrete(top=4).words()


def test_every_kind_by_name_is_all_kinds() -> None:
    for scope in (list(AttentionKind), list(AttentionKind)[::-1]):
        assert HardConcrete(scope=scope).identity() == HardConcrete().identity()
    assert HardConcrete(scope=[AttentionKind.CROSS]).identity() != HardConcrete().identity()


def test_the_gradient_of_the_penalty_is_that_of_finite_differences() -> None:
    gates = gates_at(*PLACES, penalty=0.7, warmup=0.5).double()
    gates.penalty(0.25).backward()
    step = 1e-6 * torch.eye(len(PLACES), dtype=torch.float64)
    with torch.no_grad():
        for i, gradient in enumerate(gates.log_alpha.grad.tolist()):
            sides = []
            for sign in (1, -1):
                gates.log_alpha += sign * step[i]
                sides.append(gates.penalty(0.25).item())
                gates.log_alpha -= sign * step[i]
            assert gradient == pytest.approx((sides[0] - sides[1]) / 2e-6, rel=1e-6)


def test_without_lambda_the_gradient_is_exactly_zero_and_log_alpha_of_three_keeps_all() -> None:
    gates = gates_at(*[3.0] * 6, penalty=0.0)
    gates.penalty(1.0).backward()
    assert torch.equal(gates.log_alpha.grad, torch.zeros(6))
    assert gates.keeps().all()
    assert not gates.record()["undecided"]


@torch.no_grad()
def test_the_mean_of_the_code_is_the_sum_of_the_paper_by_the_number_of_layers() -> None:
    by_sum = HardConcreteGates(HardConcrete(penalty=0.3), LAYOUT.heads, seed=0)
    by_mean = HardConcreteGates(HardConcrete(penalty=0.3, reduction=Reduction.mean), LAYOUT.heads, seed=0)
    assert by_sum.penalty(1.0).item() == pytest.approx(0.3 * by_sum.open().sum().item())
    assert by_mean.penalty(1.0).item() == pytest.approx(by_sum.penalty(1.0).item() / 3)


@torch.no_grad()
def test_the_start_is_the_same_everywhere_or_glorots_by_layer() -> None:
    assert gates_at(0.0).options.initial == HardConcreteGates(HardConcrete(), LAYOUT.heads, 0).log_alpha[0] == 2
    drawn = [HardConcreteGates(HardConcrete(initial=None), LAYOUT.heads, seed).log_alpha for seed in range(300)]
    places = torch.stack(drawn)
    assert places[:, :8].abs().max().item() == pytest.approx((3 / 4) ** 0.5, rel=0.01)
    assert places[:, 8:].abs().max().item() == pytest.approx(1, rel=0.01)
    assert places.mean().abs() < 0.05
    eight = HeadLayout({AttentionKind.ENCODER_SELF: [8]})
    most = max(HardConcreteGates(HardConcrete(initial=None), eight.heads, s).log_alpha.abs().max() for s in range(300))
    assert most == pytest.approx(0.61, abs=0.01), "the bound of Voita's code at 8 heads"


@torch.no_grad()
def test_lambda_rises_during_the_warm_up() -> None:
    gates = gates_at(0.0, penalty=0.8, warmup=0.25)
    assert [gates.strength(at) for at in (0.0, 0.125, 0.25, 1.0)] == [0, 0.4, 0.8, 0.8]
    assert gates_at(0.0, penalty=0.8).strength(0.0) == 0.8


@torch.no_grad()
def test_draws_are_a_function_of_the_seed_and_of_the_state() -> None:
    first, second = gates_at(*PLACES), gates_at(*PLACES)
    assert torch.equal(first.draw(0.0), second.draw(0.0))
    state, drawn = first.state_dict(), first.draw(0.0)
    torch.manual_seed(0)
    second.load_state_dict(state)
    assert torch.equal(second.draw(0.0), drawn)
    assert not torch.equal(second.draw(0.0), drawn)


def test_a_gate_learns_that_its_head_is_needed_and_the_others_that_theirs_are_not() -> None:
    """A loss of (1 - g)^2 for one of six heads: it alone stays, however strong the penalty, until all are closed."""
    for penalty, kept in ((0.0, 6), (0.1, 1), (3.0, 0)):
        gates = HardConcreteGates(HardConcrete(penalty=penalty), LAYOUT.heads[:6], seed=0)
        optimizer = torch.optim.Adam(gates.parameters(), lr=0.3)
        for _ in range(80):
            optimizer.zero_grad()
            ((1 - gates.draw(0.0)[4]).square() + gates.penalty(1.0)).backward()
            optimizer.step()
        assert gates.keeps().sum() == kept
        assert gates.keeps()[4] == (kept > 0)
        assert bool(gates.fault()) == (kept == 0)
    assert "gates.penalty=3 has closed all 6 heads" in gates.fault()


def test_heads_have_gates_unless_there_are_none() -> None:
    assert {name: gates().has_gates for name, gates in GATES.items()} == {
        "none": False, "hard_concrete": True, "subset": True, "kept": True,
    }  # fmt: skip
