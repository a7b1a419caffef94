"""Limits of shares and their differences, and one-sided tests of many sums, against other ways to the same number."""

import numpy as np
import pytest
from scipy import stats

from analysis.inference.discordant_pairs import flips_of
from analysis.inference.shares import above_zero, difference_limits, ratio_limits, share_limits


def test_limits_of_a_ratio_are_those_of_a_jackknife() -> None:
    rng = np.random.default_rng(0)
    cases = np.append(rng.integers(0, 9, 11), 0)  # a group without a case is as if it were not there
    hits = rng.binomial(cases, 0.4)[:, None]
    own = [at for at in range(12) if cases[at]]
    value = hits.sum() / cases.sum()
    left = np.array([(hits.sum() - hits[at, 0]) / (cases.sum() - cases[at]) for at in own])
    error = np.sqrt((len(own) - 1) * left.var())
    expected = 100 * (value + stats.t.ppf([0.025, 0.975], len(own) - 1) * error)
    assert np.ravel(ratio_limits(hits, cases, 0.05)) == pytest.approx(expected)


@pytest.mark.parametrize("hits", [0, 3, 47, 50])
def test_few_cases_on_one_side_have_exact_limits(hits: int) -> None:
    """Where each case is a group of its own, they are those of scipy."""
    each = (np.arange(50) < hits).astype(int)[:, None]
    low, high = share_limits(each, np.ones(50, dtype=int), 0.05)
    exact = stats.binomtest(hits, 50).proportion_ci()
    assert (low[0], high[0]) == pytest.approx((100 * exact.low, 100 * exact.high), rel=0.03)


def test_a_difference_of_no_discordant_case_is_no_point() -> None:
    low, high = difference_limits(np.zeros((30, 2), dtype=int), np.full(30, 2), 0.1)
    assert (low < 0).all()
    assert (high > 0).all()


def test_one_group_has_no_limits() -> None:
    cases = np.array([5, 0])
    for limits in (ratio_limits, share_limits, difference_limits):
        assert np.isnan(limits(np.array([[2], [0]]), cases, 0.05)).all()


def test_one_sided_p_is_that_of_all_turns_of_signs() -> None:
    change = np.array([[3.0], [2], [-1], [4], [1], [2]])
    turns = np.array(np.meshgrid(*[[-1, 1]] * 6)).reshape(6, -1)
    exact = (change[:, 0] @ turns >= change.sum()).mean()
    ((p, corrected),) = above_zero([change], 20_000, seed=0)
    assert p[0] == pytest.approx(exact, abs=0.01)
    assert corrected[0] == p[0]


def test_the_family_is_all_arrays_together() -> None:
    rng = np.random.default_rng(1)
    change = rng.normal(size=(40, 30))
    change[:, 7] += 1
    whole = above_zero([change], 500, seed=0)[0]
    parts = above_zero([change[:, :10], change[:, 10:]], 500, seed=0)
    for at in (0, 1):
        assert np.concatenate([part[at] for part in parts]) == pytest.approx(whole[at])
    assert (whole[1] >= whole[0]).all()
    assert whole[1].argmin() == 7
    assert whole[1][7] < 0.05


@pytest.mark.parametrize("trials", [60, pytest.param(2000, marks=pytest.mark.exhaustive)])
def test_nothing_is_found_in_noise_more_often_than_alpha(trials: int) -> None:
    """Heads that hit as often as their baseline: some of 60 are above it in at most 5 of 100 cases."""
    rng = np.random.default_rng(2)
    found = 0
    for _ in range(trials):
        base = rng.binomial(4, 0.4, (50, 1))
        change = rng.binomial(4, 0.4, (50, 60)) - base
        found += (above_zero([change], 199, seed=int(rng.integers(2**31)))[0][1] <= 0.05).any()
    assert found <= stats.binom.ppf(0.999, trials, 0.05)


@pytest.mark.exhaustive
@pytest.mark.parametrize("rate", [0.02, 0.3, 0.9])
def test_limits_hold_their_level(rate: float) -> None:
    """Shares that differ from group to group; one-sided limits at 95 %."""
    rng, missed = np.random.default_rng(3), np.zeros(4)
    for _ in range(1000):
        cases = rng.integers(0, 8, 60)
        own = rng.beta(8 * rate, 8 * (1 - rate), 60)
        hits, base = (rng.binomial(cases, own)[:, None] for _ in range(2))
        low, high = share_limits(hits, cases, 0.1)
        below, above = difference_limits(hits - base, cases, 0.1)
        missed += [low[0] > 100 * rate, high[0] < 100 * rate, below[0] > 0, above[0] < 0]
    assert (missed / 1000 < 0.08).all(), missed


def test_squares_of_changes_fit_however_narrow_these_are() -> None:
    change = np.array([[300, -2]], dtype=np.int16)
    assert flips_of(change, 600).together.tolist() == [(300**2 + 2**2) / 302]
