"""Shapley values and interactions against shapiq, another library, where it is installed."""

import warnings

import numpy as np
import pytest
from fixtures.sets.games import Game, glove, majority, quadratic

from study.record.designs.coalitions import all_coalitions, kernel_coalitions
from study.record.designs.estimates import all_pairs_matrix, all_sets_matrix, fitted_pair_matrix, kernel_matrix

UNITS = 7


def rough(on: np.ndarray) -> float:
    """Every set pays its own number."""
    paid = np.random.default_rng(3).normal(size=2**UNITS)
    return float(paid[int(on @ (1 << np.arange(UNITS)))])


LINEAR = np.linspace(-1, 2, UNITS)
BOTH = np.triu(np.random.default_rng(4).normal(size=(UNITS, UNITS)), 1)
GAMES = {"glove": glove, "majority": majority, "pairs": quadratic(LINEAR, BOTH), "rough": rough}


def by_shapiq(game: Game, index: str, order: int) -> np.ndarray:
    """Exact values of an index of one order, in the order of units, or of pairs."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # those of what it brings
        shapiq = pytest.importorskip("shapiq")

    def pays(coalitions: np.ndarray) -> np.ndarray:
        return np.array([game(row.astype(bool)) for row in np.atleast_2d(coalitions)])

    found = shapiq.ExactComputer(n_players=UNITS, game=pays)(index, order)
    if order == 1:
        return np.array([found[(i,)] for i in range(UNITS)])
    return np.array([found[pair] for pair in zip(*(at.tolist() for at in np.triu_indices(UNITS, 1)), strict=True)])


@pytest.mark.parametrize("name", GAMES)
def test_values_and_interactions_are_those_of_another_library(name: str) -> None:
    game, on = GAMES[name], all_coalitions(UNITS)
    scores = np.array([game(row) for row in on])
    np.testing.assert_allclose(all_sets_matrix(on).matrix @ scores, by_shapiq(game, "SV", 1), atol=1e-9)
    np.testing.assert_allclose(all_pairs_matrix(on).matrix @ scores, by_shapiq(game, "SII", 2), atol=1e-9)


def test_samples_give_what_the_other_library_knows_of_a_game_of_pairs() -> None:
    game, on = GAMES["pairs"], kernel_coalitions(UNITS, 120, 0)
    scores = np.array([game(row) for row in on])
    np.testing.assert_allclose(kernel_matrix(on).matrix @ scores, by_shapiq(game, "SV", 1), atol=1e-9)
    np.testing.assert_allclose(fitted_pair_matrix(on).matrix @ scores, by_shapiq(game, "SII", 2), atol=1e-9)
