"""Shapley values from scores, against the definition over all sets and known games."""

from itertools import permutations

import numpy as np
import pytest

from study.record.designs.coalitions import all_coalitions, kernel_coalitions
from study.record.designs.estimates import shapley_matrix


def by_orders(worth: dict[bytes, float], units: int) -> np.ndarray:
    """The mean over all orders of what each unit adds to those before it."""
    values = np.zeros(units)
    orders = list(permutations(range(units)))
    for order in orders:
        on = np.zeros(units, dtype=bool)
        for unit in order:
            before = worth[on.tobytes()]
            on[unit] = True
            values[unit] += worth[on.tobytes()] - before
    return values / len(orders)


@pytest.mark.parametrize("units", [1, 2, 5])
def test_all_sets_give_the_mean_over_all_orders(units: int) -> None:
    on = all_coalitions(units)
    scores = np.random.default_rng(units).normal(size=len(on))
    expected = by_orders({row.tobytes(): score for row, score in zip(on, scores, strict=True)}, units)
    assert shapley_matrix(on) @ scores == pytest.approx(expected)


def test_a_sample_gives_an_additive_game_exactly_and_always_the_whole() -> None:
    on = kernel_coalitions(8, 60, seed=1)
    worth = np.arange(8.0)
    assert shapley_matrix(on) @ (3 + on @ worth) == pytest.approx(worth)
    scores = np.random.default_rng(0).normal(size=len(on))
    assert (shapley_matrix(on) @ scores).sum() == pytest.approx(scores[0] - scores[1])


def test_pairs_do_no_harm_to_complements() -> None:
    """A game of pairs alone: its even part is what complements take out of the error."""
    units = 8
    on = kernel_coalitions(units, 200, seed=2)
    pairs = np.triu(np.random.default_rng(3).normal(size=(units, units)), 1)
    scores = np.einsum("mi,ij,mj->m", on.astype(float), pairs, on.astype(float))
    assert shapley_matrix(on) @ scores == pytest.approx((pairs.sum(axis=0) + pairs.sum(axis=1)) / 2)


def test_larger_samples_come_nearer() -> None:
    units, every = 7, all_coalitions(7)
    scores = np.random.default_rng(4).normal(size=len(every))
    known = {row.tobytes(): score for row, score in zip(every, scores, strict=True)}
    exact = shapley_matrix(every) @ scores
    errors = []
    for number in (200, 20_000):
        on = kernel_coalitions(units, number, seed=5)
        errors.append(np.abs(shapley_matrix(on) @ [known[row.tobytes()] for row in on] - exact).max())
    assert errors[1] < 0.05 < errors[0]
