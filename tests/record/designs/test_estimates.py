"""Maps from coalitions to values: games in closed form, brute force over all orders and sets, one draw left out."""

import math
from itertools import combinations, permutations

import numpy as np
import pytest
from fixtures.sets.games import Game, additive, glove, majority, quadratic

from study.record.designs.coalitions import all_coalitions, independent_coalitions, kernel_coalitions
from study.record.designs.estimates import all_sets_matrix, kernel_matrix, pair_matrix, semivalue_matrix
from study.record.errors import InputError


def pays(game: Game, on: np.ndarray) -> np.ndarray:
    return np.array([game(row) for row in on])


def by_orders(game: Game, units: int) -> np.ndarray:
    """Shapley values by all orders in which units can join."""
    values = np.zeros(units)
    for order in permutations(range(units)):
        on = np.zeros(units, dtype=bool)
        for unit in order:
            before = game(on)
            on[unit] = True
            values[unit] += game(on) - before
    return values / math.factorial(units)


def rough(units: int, seed: int = 0) -> Game:
    """A game without any order: each set pays its own number."""
    paid = np.random.default_rng(seed).normal(size=2**units)
    return lambda on: float(paid[(on * 2 ** np.arange(units)).sum()])


@pytest.mark.parametrize("units", [1, 2, 3, 6])
def test_values_from_all_sets_are_means_over_all_orders(units: int) -> None:
    game, on = rough(units), all_coalitions(units)
    np.testing.assert_allclose(all_sets_matrix(on).matrix @ pays(game, on), by_orders(game, units), atol=1e-12)


@pytest.mark.parametrize("units", [3, 7, 10])
def test_games_in_closed_form(units: int) -> None:
    on = all_coalitions(units)
    matrix = all_sets_matrix(on).matrix
    worth = np.linspace(-1, 2, units)
    np.testing.assert_allclose(matrix @ pays(additive(worth), on), worth, atol=1e-12)
    gloves = matrix @ pays(glove, on)
    assert gloves[0] == pytest.approx((units - 1) / units)
    np.testing.assert_allclose(gloves[1:], 1 / units / (units - 1), atol=1e-12)
    np.testing.assert_allclose(matrix @ pays(majority, on), 1 / units, atol=1e-12)


def test_a_sample_is_exact_where_units_interact_by_twos_and_efficient_for_any_game() -> None:
    rng = np.random.default_rng(1)
    both = np.triu(rng.normal(size=(8, 8)), 1)
    linear = rng.normal(size=8)
    on = kernel_coalitions(8, 40, 3)
    values = kernel_matrix(on).matrix @ pays(quadratic(linear, both), on)
    np.testing.assert_allclose(values, linear + (both + both.T).sum(axis=1) / 2, atol=1e-9)
    scores = pays(rough(8), on)
    assert (kernel_matrix(on).matrix @ scores).sum() == pytest.approx(scores[0] - scores[1])


def test_a_sample_is_the_constrained_least_squares_of_kernelshap_with_equal_weights() -> None:
    on = kernel_coalitions(6, 60, 5)
    scores = pays(rough(6), on)
    rows, right = on[2:].astype(float), scores[2:] - scores[1]
    inverse, ones, whole = np.linalg.inv(rows.T @ rows), np.ones(6), scores[0] - scores[1]
    free = inverse @ (rows.T @ right)
    expected = free - inverse @ ones * (ones @ free - whole) / (ones @ inverse @ ones)
    np.testing.assert_allclose(kernel_matrix(on).matrix @ scores, expected, atol=1e-9)


def test_large_samples_come_close_to_all_sets() -> None:
    game, on = rough(7), kernel_coalitions(7, 20_000, 0)
    every = all_coalitions(7)
    exact = all_sets_matrix(every).matrix @ pays(game, every)
    np.testing.assert_allclose(kernel_matrix(on).matrix @ pays(game, on), exact, atol=0.03)


def test_semivalues_are_mean_contributions_near_the_full_set() -> None:
    game, every = rough(6), all_coalitions(6)
    exact = all_sets_matrix(every, 0.8).matrix @ pays(game, every)
    expected = np.zeros(6)
    for unit in range(6):
        for on in every[every[:, unit]]:
            without = on.copy()
            without[unit] = False
            others = np.delete(on, unit)
            chance = 0.8 ** others.sum() * 0.2 ** (~others).sum()
            expected[unit] += chance * (game(on) - game(without))
    np.testing.assert_allclose(exact, expected, atol=1e-12)
    drawn = independent_coalitions(6, 60_000, 0.8, 0)
    np.testing.assert_allclose(semivalue_matrix(drawn).matrix @ pays(game, drawn), expected, atol=0.05)


@pytest.mark.parametrize("sampled", [True, False])
def test_interactions_of_two_are_found_beside_each_other(sampled: bool) -> None:
    rng = np.random.default_rng(2)
    both = np.triu(rng.normal(size=(7, 7)), 1)
    on = kernel_coalitions(7, 120, 0) if sampled else all_coalitions(7)
    found = pair_matrix(on, sampled).matrix @ pays(quadratic(rng.normal(size=7), both), on)
    np.testing.assert_allclose(found, both[np.triu_indices(7, 1)], atol=1e-9)


def interactions_by_sets(game: Game, units: int) -> list[float]:
    """Shapley interactions by their definition, set by set."""
    found = []
    for pair in combinations(range(units), 2):
        others, total = [unit for unit in range(units) if unit not in pair], 0.0
        for size in range(units - 1):
            weight = math.factorial(size) * math.factorial(units - size - 2) / math.factorial(units - 1)
            for among in combinations(others, size):
                neither, one, other, both = (
                    np.isin(np.arange(units), [*among, *more]) for more in ((), pair[:1], pair[1:], pair)
                )
                total += weight * (game(both) - game(one) - game(other) + game(neither))
        found.append(total)
    return found


@pytest.mark.parametrize("game", [glove, majority, rough(5)], ids=["glove", "majority", "rough"])
def test_interactions_of_all_sets_are_those_of_the_definition(game: Game) -> None:
    on = all_coalitions(5)
    found = pair_matrix(on, sampled=False).matrix @ pays(game, on)
    np.testing.assert_allclose(found, interactions_by_sets(game, 5), atol=1e-9)


def test_two_right_gloves_are_in_each_other_s_place() -> None:
    on = all_coalitions(4)
    np.testing.assert_allclose(pair_matrix(on, sampled=False).matrix @ pays(glove, on), [1 / 3] * 3 + [-1 / 6] * 3)


@pytest.mark.parametrize("make", [kernel_matrix, lambda on: pair_matrix(on, True)])
def test_what_is_left_without_a_draw_is_what_a_fit_without_it_gives(make) -> None:
    game, on = rough(6), kernel_coalitions(6, 80, 1)
    scores = pays(game, on)
    left = make(on).without_each(scores)
    for draw in (0, 17):
        rows = [2 + 2 * draw, 3 + 2 * draw]
        again = make(np.delete(on, rows, axis=0)).matrix @ np.delete(scores, rows)
        np.testing.assert_allclose(left[draw], again, atol=1e-9)


def test_what_is_left_without_a_mask_near_the_full_set() -> None:
    game, on = rough(6), independent_coalitions(6, 60, 0.7, 1)
    scores = pays(game, on)
    left = semivalue_matrix(on).without_each(scores)
    again = semivalue_matrix(np.delete(on, 9, axis=0)).matrix @ np.delete(scores, 9)
    np.testing.assert_allclose(left[9], again, atol=1e-9)


def test_too_few_coalitions_are_refused_with_a_number_that_may_do() -> None:
    with pytest.raises(InputError, match=r"8 coalitions do not tell 12 units apart: take 96 or more"):
        kernel_matrix(kernel_coalitions(12, 6, 0))
    with pytest.raises(InputError, match=r"10 masks do not tell 12 units apart: take 24 or more"):
        semivalue_matrix(independent_coalitions(12, 10, 0.9, 0))
    with pytest.raises(InputError, match=r"do not tell 66 pairs apart: take 270 or more"):
        pair_matrix(kernel_coalitions(12, 60, 0), True)
    with pytest.raises(InputError, match=r"15 of the 16 sets of 4 units"):
        all_sets_matrix(all_coalitions(4)[:-1])


def test_shapiq_agrees() -> None:
    """Another library, where somebody has installed it."""
    shapiq = pytest.importorskip("shapiq")
    game, every = rough(6), all_coalitions(6)
    computer = shapiq.ExactComputer(n_players=6, game=lambda sets: pays(game, np.atleast_2d(sets).astype(bool)))
    found = all_sets_matrix(every).matrix @ pays(game, every)
    np.testing.assert_allclose(found, computer("SV").get_n_order_values(1), atol=1e-9)
