"""Samples of coalitions: sizes, complements, nestedness, against closed forms and all sets."""

from itertools import product
from math import comb

import numpy as np
import pytest

from study.record.designs.coalitions import (
    all_coalitions,
    are_all,
    independent_coalitions,
    kernel_coalitions,
    kernel_sizes,
)


@pytest.mark.parametrize("units", [2, 3, 7, 10])
def test_sizes_have_the_weight_of_the_shapley_kernel(units: int) -> None:
    """Lundberg and Lee 2017, theorem 2: (n - 1) / (C(n, s) s (n - s)) for one set of a size s."""
    weight = {size: (units - 1) / (comb(units, size) * size * (units - size)) for size in range(1, units)}
    total = np.zeros(units + 1)
    for row in product((0, 1), repeat=units):
        total[sum(row)] += weight.get(sum(row), 0.0)
    assert kernel_sizes(units) == pytest.approx(total[1:-1] / total.sum())


def test_draws_follow_the_kernel_and_sets_of_a_size_are_alike() -> None:
    units, number = 6, 40_000
    drawn = kernel_coalitions(units, number, seed=1)[2::2]
    sizes = np.bincount(drawn.sum(axis=1), minlength=units)[1:] / len(drawn)
    assert sizes == pytest.approx(kernel_sizes(units), abs=4 * np.sqrt(0.25 / len(drawn)))
    twos = drawn[drawn.sum(axis=1) == 2] @ 2 ** np.arange(units)
    counts = np.unique(twos, return_counts=True)[1]
    assert len(counts) == comb(units, 2)
    assert ((counts - counts.mean()) ** 2).sum() / counts.mean() < 36, "chi-square of 14 degrees, p = 0.001"


def test_a_sample_begins_with_the_ends_and_goes_on_in_pairs_of_complements() -> None:
    sample = kernel_coalitions(9, 500, seed=4)
    assert sample.shape == (502, 9)
    assert sample[0].all()
    assert np.array_equal(sample[::2], ~sample[1::2])
    assert sample[2:].sum(axis=1).min() > 0
    assert sample[2:].sum(axis=1).max() < 9


@pytest.mark.parametrize("seed", [0, 7])
def test_a_sample_is_the_beginning_of_a_larger_one_with_its_seed(seed: int) -> None:
    assert np.array_equal(kernel_coalitions(72, 1000, seed), kernel_coalitions(72, 2000, seed)[:1002])
    few, more = (independent_coalitions(72, number, 0.9, seed) for number in (300, 700))
    assert np.array_equal(few, more[:300])
    assert not np.array_equal(kernel_coalitions(72, 1000, seed), kernel_coalitions(72, 1000, seed + 1))


def test_the_draws_of_a_seed_are_those_of_doubles_one_after_the_other() -> None:
    generator = np.random.default_rng(0)
    assert generator.random() == 0.6369616873214543, "numpy's stream of doubles has changed"
    generator, chance = np.random.default_rng(0), np.cumsum(kernel_sizes(5))
    for row in kernel_coalitions(5, 40, seed=0)[2::2]:
        first, *others = (generator.random() for _ in range(6))
        size = 1 + sum(first >= bound for bound in chance[:-1])
        assert set(np.flatnonzero(row)) == set(np.argsort(others)[:size])


@pytest.mark.parametrize("units", [1, 2, 5, 10])
def test_all_sets_are_there_once(units: int) -> None:
    every = all_coalitions(units)
    assert {tuple(row) for row in every.tolist()} == set(product((False, True), repeat=units))
    assert len(every) == 2**units
    assert np.array_equal(every[::2], ~every[1::2])
    assert every[0].all()


def test_all_are_taken_once_as_many_are_asked_as_there_are() -> None:
    assert not are_all(10, 1020)
    assert are_all(10, 1022)
    assert are_all(10, 5000)


def test_each_unit_stays_on_by_itself() -> None:
    drawn = independent_coalitions(12, 20_000, 0.9, seed=2)
    assert drawn.mean(axis=0) == pytest.approx(np.full(12, 0.9), abs=0.01)
    together = np.corrcoef(drawn.T) - np.eye(12)
    assert np.abs(together).max() < 0.04


def shapley_values(game, units: int) -> np.ndarray:
    """From all sets, by the definition."""
    worth = {row: game(row) for row in product((0, 1), repeat=units)}
    values = np.zeros(units)
    for row, own in worth.items():
        for i in (i for i in range(units) if not row[i]):
            weight = 1 / (units * comb(units - 1, sum(row)))
            values[i] += weight * (worth[(*row[:i], 1, *row[i + 1 :])] - own)
    return values


GAMES = {
    "glove": (lambda row: float(row[0] and any(row[1:])), 4, [0.75, 1 / 12, 1 / 12, 1 / 12]),
    "majority": (lambda row: float(sum(row) > 2), 5, [0.2] * 5),
    "additive": (lambda row: float(np.dot(row, [1, 2, 3, 4, 5, 6])), 6, [1, 2, 3, 4, 5, 6]),
}


@pytest.mark.parametrize("name", GAMES)
def test_draws_that_count_alike_give_the_shapley_values_of_known_games(name: str) -> None:
    """By least squares with both ends as constraints, as `analysis` has it: no draw is weighted."""
    game, units, closed_form = GAMES[name]
    assert shapley_values(game, units) == pytest.approx(closed_form)
    sample = kernel_coalitions(units, 60_000, seed=3).astype(float)
    worth = np.array([game(tuple(row)) for row in sample.astype(int)])
    found = constrained_least_squares(sample[2:], worth[2:], worth[0] - worth[1], worth[1])
    assert found.sum() == pytest.approx(worth[0] - worth[1])
    assert found == pytest.approx(closed_form, abs=0.02 if name != "additive" else 1e-8)


def constrained_least_squares(sets: np.ndarray, worth: np.ndarray, whole: float, empty: float) -> np.ndarray:
    last = sets[:, -1:]
    rest = np.linalg.lstsq(sets[:, :-1] - last, worth - empty - last[:, 0] * whole, rcond=None)[0]
    return np.append(rest, whole - rest.sum())
