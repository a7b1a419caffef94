"""The spread of an effect over cells: what noise makes of it is taken out, also where the cells share it."""

import numpy as np
import pytest
from scipy import optimize, stats

from analysis.along.spread import spread


def covariance(rng: np.random.Generator, cells: int, shared: float, size: float = 1.0) -> np.ndarray:
    """Sampling covariance of a head in cells of unlike noise, of which a part is the same in all."""
    error = size * rng.uniform(0.5, 1.5, cells)
    return np.outer(error, error) * (shared + (1 - shared) * np.eye(cells))


def test_of_independent_cells_it_is_the_q_profile_about_the_weighted_mean() -> None:
    rng = np.random.default_rng(0)
    variances = rng.uniform(0.2, 2.0, (5, 6))
    effects = rng.normal(0, 2, (6, 5))
    found = spread(effects, np.stack([np.diag(own) for own in variances]), groups=10**9, level=0.95)
    for head in range(5):
        e, s = effects[:, head], variances[head]

        def q(v: float, e: np.ndarray = e, s: np.ndarray = s) -> float:
            weights = 1 / (s + v)
            return float((weights * np.square(e - np.average(e, weights=weights))).sum())

        for end, quantile in ((found.low, 0.975), (found.high, 0.025)):
            target = stats.chi2.ppf(quantile, 5)
            expected = 0.0 if q(0) < target else optimize.brentq(lambda v: q(v) - target, 0, 1e4)  # noqa: B023
            assert end[head] ** 2 == pytest.approx(expected, rel=1e-6, abs=1e-9)
        assert found.p[head] == pytest.approx(stats.chi2.sf(q(0), 5), rel=1e-4)
        assert found.variance[head] == pytest.approx(e.var(ddof=1) - s.mean())


def test_two_cells_have_it_in_closed_form() -> None:
    noise = np.array([[2.0, 1.5], [1.5, 2.0]])
    found = spread(np.array([[1.0], [7.0]]), noise[None], groups=50, level=0.9)
    own = (2 + 2 - 2 * 1.5) / 2  # variance of the difference, over 2
    assert found.variance[0] == pytest.approx(36 / 2 - own)
    assert found.low[0] ** 2 == pytest.approx(18 / stats.t.ppf(0.975, 49) ** 2 - own)  # T^2 of one contrast is t^2
    assert found.high[0] ** 2 == pytest.approx(18 / stats.chi2.ppf(0.05, 1) - own)
    assert found.p[0] == pytest.approx(2 * stats.t.sf(6 / np.sqrt(2 * own), 49))
    assert found.mean[0] == 4
    half = stats.t.ppf(0.95, 49) * np.sqrt(noise.sum()) / 2
    assert (found.mean_low[0], found.mean_high[0]) == pytest.approx((4 - half, 4 + half))


@pytest.mark.parametrize("true", [0.0, 1.0])
@pytest.mark.parametrize("shared", [0.0, 0.9])
def test_intervals_hold_the_truth_and_equal_effects_are_found_at_the_level(true: float, shared: float) -> None:
    """Noise estimated from 60 groups, 4,000 heads; cells of one variance of noise each."""
    rng, heads, cells, groups = np.random.default_rng(1), 4000, 5, 60
    noise = covariance(rng, cells, shared)
    root = np.linalg.cholesky(noise)
    effects = true * rng.normal(size=(cells, heads)) + root @ rng.normal(size=(cells, heads)) + 3.0
    factor = np.einsum("ab,hgb->hga", root, rng.normal(size=(heads, groups - 1, cells))) / np.sqrt(groups - 1)
    found = spread(effects, np.einsum("hga,hgb->hab", factor, factor), groups, 0.95)
    inside = (found.low <= true) & (true <= found.high)
    assert 0.94 <= inside.mean() <= (1.0 if true == 0 else 0.965)
    assert found.variance.mean() == pytest.approx(true**2, abs=0.06)
    covered = (found.mean_low <= 3) & (found.mean_high >= 3)
    if true == 0:
        assert (found.p <= 0.05).mean() == pytest.approx(0.05, abs=0.012)
        assert covered.mean() == pytest.approx(0.95, abs=0.012)


def test_effects_that_are_equal_and_without_noise_have_no_spread() -> None:
    found = spread(np.full((3, 2), 4.0), np.zeros((2, 3, 3)), groups=40, level=0.95)
    assert (found.low == 0).all()
    assert (found.high == 0).all()
    assert (found.p == 1).all()
    rounding = spread(np.full((3, 1), 4.0) + 1e-15, np.full((1, 3, 3), 1e-20), groups=40, level=0.95)
    assert rounding.p[0] == 1


def test_a_difference_without_any_noise_is_certain() -> None:
    found = spread(np.array([[0.0], [2.0], [4.0]]), np.zeros((1, 3, 3)), groups=40, level=0.95)
    assert found.value[0] == pytest.approx(2.0)
    assert 0 < found.p[0] < 1e-300
    assert 0 < found.low[0] < 2 < found.high[0]
