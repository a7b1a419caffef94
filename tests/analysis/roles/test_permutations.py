"""Permutations within layers: against every order there is, and against least squares; the family holds its level."""

from itertools import permutations

import numpy as np
import pytest

from analysis.roles.permutations import _deviations, permutation_family, within_layers

LAYERS = np.array([0, 0, 0, 1, 1, 1])


def every_order(layers: np.ndarray) -> list[list[int]]:
    """All orders of all heads, by brute force, of which those that keep every layer are taken."""
    return [list(order) for order in permutations(range(len(layers))) if (layers[list(order)] == layers).all()]


def test_small_layouts_are_enumerated() -> None:
    rng = np.random.default_rng(0)
    columns, effects = rng.normal(size=(6, 3)), rng.normal(size=6)
    found = permutation_family(columns, effects, LAYERS, rng, 10_000)
    orders = every_order(LAYERS)
    assert len(orders) == 36
    assert (found.exact, found.resamples) == (True, 35)
    centred = within_layers(columns.T, LAYERS)
    null = np.array([centred @ effects[order] - centred @ within_mean(effects) for order in orders])
    observed = centred @ effects
    np.testing.assert_allclose(found.p, (np.abs(null) >= np.abs(observed) - 1e-9).mean(axis=0))
    deviation = null.std(axis=0)
    np.testing.assert_allclose(_deviations(centred, within_layers(effects, LAYERS), LAYERS), deviation)
    largest = (np.abs(null) / deviation).max(axis=1)
    first = (np.abs(observed) / deviation).argmax()
    assert found.p_corrected[first] == pytest.approx((largest >= (np.abs(observed) / deviation)[first] - 1e-9).mean())
    assert (found.p_corrected >= found.p - 1e-12).all()


def within_mean(effects: np.ndarray) -> np.ndarray:
    return effects - within_layers(effects, LAYERS)


def test_random_permutations_come_close_to_all_of_them() -> None:
    rng = np.random.default_rng(1)
    columns, effects = rng.normal(size=(6, 2)), rng.normal(size=6)
    exact = permutation_family(columns, effects, LAYERS, rng, 100)
    drawn = permutation_family(columns, effects, LAYERS, rng, 35)  # fewer than all 36
    assert exact.exact
    assert not drawn.exact
    many = [permutation_family(columns, effects, LAYERS, np.random.default_rng(seed), 35).p for seed in range(200)]
    np.testing.assert_allclose(np.mean(many, axis=0), exact.p, atol=0.05)


def test_layers_are_held() -> None:
    effects = np.repeat([0.0, 5.0], 3) + np.array([0, 0.1, -0.1, 0, 0.1, -0.1])
    role = np.array([0.0, 0, 0, 1, 1, 0])  # two heads of the layer that matters
    found = permutation_family(role[:, None], effects, LAYERS, np.random.default_rng(0), 10_000)
    assert found.p[0] > 0.3


def test_a_column_that_does_not_vary_within_layers_has_no_p() -> None:
    rng = np.random.default_rng(0)
    columns = np.stack([LAYERS.astype(float), rng.normal(size=6)], axis=1)
    found = permutation_family(columns, rng.normal(size=6), LAYERS, rng, 999)
    assert np.isnan(found.p).tolist() == [True, False]
    assert found.p[1] == found.p_corrected[1]


def false_findings(runs: int, seed: int) -> float:
    """Share of families of 20 columns, none of which has to do with effects, in which something is found at .05."""
    rng = np.random.default_rng(seed)
    layers = np.repeat(np.arange(4), 6)
    found = 0
    for _ in range(runs):
        shared = rng.normal(size=(24, 1))
        statistics = shared + rng.normal(size=(24, 14))  # statistics are correlated, as they are in models
        roles = (rng.random((24, 6)) < 0.2).astype(float)
        effects = rng.standard_t(3, 24) + layers  # heavy tails, and layers that differ
        family = permutation_family(np.hstack([statistics, roles]), effects, layers, rng, 199)
        found += bool(np.nanmin(family.p_corrected) <= 0.05)
    return found / runs


def test_a_family_finds_something_by_chance_in_one_case_of_twenty() -> None:
    assert false_findings(200, seed=0) < 0.05 + 3 * np.sqrt(0.05 * 0.95 / 200)


@pytest.mark.exhaustive
def test_the_level_of_a_family_in_many_runs() -> None:
    assert false_findings(4_000, seed=1) == pytest.approx(0.05, abs=3 * np.sqrt(0.05 * 0.95 / 4_000))
