from collections import Counter
from dataclasses import replace
from itertools import permutations, product

import numpy as np
import pytest
from scipy import stats
from simulated import PLAIN, sample

from analysis.correlation.coefficients import pearson
from analysis.correlation.null_distributions import (
    _permutations,
    permutation_null,
    random_swaps,
    sign_flip_null,
    within,
)


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def test_permutations_over_heads_agree_with_every_order_written_out():
    a, b = np.array([1.0, 2.0, 4.0, 3.0, 9.0]), np.array([2.0, 1.0, 5.0, 3.0, 4.0])
    r = np.corrcoef(a, b)[0, 1]
    every = [np.corrcoef(a, order)[0, 1] for order in permutations(b)]
    found = permutation_null(a, b, [0] * 5, rng(), resamples=9_999)
    assert found.p == pytest.approx(np.mean(np.array(every) >= r - 1e-12), abs=0.015)
    assert found.mean == pytest.approx(0.0, abs=0.015)


def test_permutations_within_strata_agree_with_every_order_written_out():
    strata = ["x", "y", "x", "y", "y", "x"]
    a, b = np.array([0, 3, 0, 3, 3, 0]) + rng(1).normal(size=(2, 6))
    every = []
    for xs, ys in product(permutations([0, 2, 5]), permutations([1, 3, 4])):
        order = [xs[0], ys[0], xs[1], ys[1], ys[2], xs[2]]
        every.append(np.corrcoef(a, b[order])[0, 1])
    found = permutation_null(a, b, strata, rng(), resamples=9_999)
    r = np.corrcoef(a, b)[0, 1]
    assert found.p == pytest.approx(np.mean(np.array(every) >= r - 1e-12), abs=0.015)
    assert found.mean == pytest.approx(np.mean(every), abs=0.01)
    assert found.mean > 0.5  # the strata alone give that much


def test_every_order_within_strata_is_as_likely():
    orders = _permutations(np.array([0, 1, 0, 1, 1]), 12_000, rng())
    assert (np.sort(orders[:, [0, 2]]) == [0, 2]).all()
    counts = Counter(map(tuple, orders))
    assert len(counts) == 12
    assert stats.chisquare(list(counts.values())).pvalue > 1e-3


def test_a_layer_that_matters_is_not_agreement_within_layers():
    layers = np.repeat(np.arange(6), 8)
    p = []
    for seed in range(40):
        own = rng(seed)
        level = -3.0 * (layers == 5)
        a, b = level + own.normal(size=48), level + own.normal(size=48)
        all_heads, inside = (permutation_null(a, b, strata, own, 199) for strata in ([0] * 48, layers.tolist()))
        p.append((all_heads.p, inside.p))
    p = np.array(p)
    assert (p[:, 0] <= 0.05).mean() > 0.9
    assert (p[:, 1] <= 0.05).mean() <= 0.15
    assert stats.kstest(p[:, 1], "uniform").pvalue > 1e-3


def test_effects_less_the_mean_of_their_stratum():
    assert within(np.array([1.0, 2.0, 5.0, 7.0]), ["x", "x", "y", "y"]).tolist() == [-0.5, 0.5, -1.0, 1.0]


def test_nothing_changes_places_where_every_stratum_has_one_head():
    a, b = rng(0).normal(size=(2, 4))
    assert permutation_null(a, b, ["a", "b", "c", "d"], rng()) is None


def test_flips_agree_with_every_pattern_written_out():
    scenario = replace(PLAIN, groups=5, size=40, heads=4, signal=0.3)
    a, b = (sample(scenario, shifts, rng(4)) for shifts in scenario.shifts(rng(3)))
    patterns = np.array(list(product([False, True], repeat=5)))
    flips = {}
    for name, own in (("a", a), ("b", b)):
        right = own.sums[:, :, 0]
        flips[name] = [
            100 * (np.where(swap, right[:1], right[1:]) - np.where(swap, right[1:], right[:1])).sum(axis=1) / 200
            for swap in patterns
        ]
    every = np.array([np.corrcoef(x, y)[0, 1] for x in flips["a"] for y in flips["b"]])
    every = every[~np.isnan(every)]
    found = sign_flip_null(
        a.effects, b.effects, *(side.swapped(random_swaps(side.groups, rng(i), 9_999)) for i, side in ((1, a), (2, b)))
    )
    r = np.corrcoef(a.effects, b.effects)[0, 1]
    assert found.p == pytest.approx(np.mean(every >= r - 1e-12), abs=0.02)
    assert found.high == pytest.approx(np.quantile(every, 0.95), abs=0.05)


def sizes(runs: int, resamples: int) -> np.ndarray:
    """The p of r by sign flips where no head has an effect, and heads share half of their noise."""
    scenario = replace(PLAIN, signal=0.0, groups=60, size=3, heads=16)
    p = []
    for seed in range(runs):
        own = rng(seed)
        a, b = (sample(scenario, np.zeros(16), own) for _ in range(2))
        flipped = [side.swapped(random_swaps(side.groups, own, resamples)) for side in (a, b)]
        p.append(sign_flip_null(a.effects, b.effects, *flipped).p)
    return np.array(p)


def test_size_of_the_sign_flips_is_held():
    p = sizes(200, 99)
    assert (p <= 0.05).mean() <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / 200)
    assert stats.kstest(p, "uniform").pvalue > 1e-3


@pytest.mark.exhaustive
def test_size_of_the_sign_flips_is_held_in_two_thousand_runs():
    p = sizes(2000, 199)
    for level in (0.01, 0.05, 0.1):
        assert (p <= level).mean() == pytest.approx(level, abs=4 * np.sqrt(level * (1 - level) / 2000) + 0.005)


def test_p_is_never_zero_and_is_one_sided():
    a = np.arange(30.0)
    assert permutation_null(a, a, [0] * 30, rng(), resamples=199).p == pytest.approx(1 / 200)
    assert permutation_null(a, -a, [0] * 30, rng(), resamples=199).p == 1.0


def test_rows_without_r_do_not_count():
    a = b = np.array([1.0, 2.0, 4.0])
    flipped = np.array([[0.0, 0.0, 0.0], [1.0, 2.0, 3.0]])
    assert sign_flip_null(a, b, flipped, flipped[::-1]) is None
    assert sign_flip_null(a, b, flipped, flipped).resamples == 1


def test_pearson_of_many_rows_equals_numpy():
    a, b = rng(5).normal(size=(2, 7, 9))
    assert pearson(a, b) == pytest.approx([np.corrcoef(x, y)[0, 1] for x, y in zip(a, b, strict=True)])
    assert np.isnan(pearson(np.ones(3), b[0, :3]))
