from dataclasses import replace

import numpy as np
import pytest
from scipy import stats
from simulated import SCENARIOS, Scenario, coverage, noisy, sample

from analysis.correlation.true_correlation import Estimate, NoisyEffects, measured_r, noise, true_r


def two(scenario: Scenario, seed: int = 0) -> tuple[NoisyEffects, NoisyEffects]:
    rng = np.random.default_rng(seed)
    a, b = scenario.shifts(rng)
    return noisy(sample(scenario, a, rng)), noisy(sample(scenario, b, rng))


SMALL = Scenario(r=0.8, signal=0.2, groups=40, size=3, heads=12)


def test_noise_is_the_trace_of_the_centred_covariance():
    a, _ = two(SMALL)
    groups, heads = a.without.shape
    values = groups * a.effects - (groups - 1) * a.without  # of single groups: their mean is the effect
    covariance = np.cov(values.T) / groups
    centring = np.eye(heads) - 1 / heads
    assert noise(a) == pytest.approx(np.trace(covariance @ centring) / (heads - 1), rel=1e-9)


def test_true_r_equals_the_formula_written_out():
    a, b = two(SMALL)
    covariance = np.cov(a.effects, b.effects)
    free = np.diag(covariance) - [noise(a), noise(b)]
    assert true_r(a, b).value == pytest.approx(covariance[0, 1] / np.sqrt(free.prod()), rel=1e-9)
    assert measured_r(a, b).value == pytest.approx(stats.pearsonr(a.effects, b.effects).statistic, abs=1e-12)


def leave_each_out(a: NoisyEffects, b: NoisyEffects, of) -> float:
    """The jackknife as its definition says, one group at a time, every number computed anew."""

    def without(side: NoisyEffects, i: int) -> NoisyEffects:
        groups = len(side.without)
        values = groups * side.effects - (groups - 1) * side.without
        rest = np.delete(values, i, axis=0)
        left = (rest.sum(axis=0) - rest) / (len(rest) - 1)
        return NoisyEffects(side.domain, rest.mean(axis=0), left)

    variance = 0.0
    for replicates in (
        [of(without(a, i), b) for i in range(len(a.without))],
        [of(a, without(b, i)) for i in range(len(b.without))],
    ):
        count = len(replicates)
        variance += (count - 1) / count * np.square(np.array(replicates) - np.mean(replicates)).sum()
    return float(np.sqrt(variance))


def test_intervals_equal_a_jackknife_done_one_group_at_a_time():
    a, b = two(SMALL)
    quantile = stats.t.ppf(0.975, 39)

    def z(a: NoisyEffects, b: NoisyEffects) -> float:
        return float(np.arctanh(measured_r(a, b).value))

    def root_of_reliabilities(a: NoisyEffects, b: NoisyEffects) -> float:
        return float(np.sqrt(np.prod([1 - noise(side) / side.effects.var(ddof=1) for side in (a, b)])))

    found = measured_r(a, b)
    half = quantile * leave_each_out(a, b, z)
    assert (np.arctanh(found.low), np.arctanh(found.high)) == pytest.approx((z(a, b) - half, z(a, b) + half), rel=1e-9)
    true = true_r(a, b)
    for end in (true.low, true.high):  # where the test of that value is just about to refuse it

        def difference(a: NoisyEffects, b: NoisyEffects, rho: float = end) -> float:
            return z(a, b) - float(np.arctanh(rho * root_of_reliabilities(a, b)))

        assert abs(difference(a, b)) == pytest.approx(quantile * leave_each_out(a, b, difference), rel=1e-3)


def test_units_and_order_of_heads_and_domains_change_nothing():
    a, b = two(SMALL)
    order = np.random.default_rng(1).permutation(12)
    moved = [NoisyEffects(s.domain, 7 * s.effects[order] + 3, 7 * s.without[:, order] + 3) for s in (a, b)]
    for of in (measured_r, true_r):
        expected = of(a, b)
        for found in (of(*moved), of(b, a)):
            for name in ("value", "low", "high"):
                assert getattr(found, name) == pytest.approx(getattr(expected, name), abs=1e-5)


def test_a_higher_level_is_wider():
    a, b = two(SMALL)
    for of in (measured_r, true_r):
        narrow, wide = of(a, b, 0.8), of(a, b, 0.99)
        assert wide.low < narrow.low < narrow.value < narrow.high < wide.high


def test_effects_that_are_noise_have_no_true_r_and_the_reason_has_the_numbers():
    flat = Scenario(r=0.0, signal=0.0, groups=100, heads=30)
    reasons = [true_r(*two(flat, seed)) for seed in range(20)]
    assert all(found.value is None for found in reasons)
    assert any("is not above its noise (" in found.reason for found in reasons)
    assert any("any value from -1 to 1" in found.reason for found in reasons)
    measured = measured_r(*two(flat))
    assert measured.low < 0 < measured.high


def test_too_few_groups_leave_r_without_interval():
    a, b = two(Scenario(r=0.8, signal=0.3, groups=2, size=50, heads=12))
    found = measured_r(a, b)
    assert found.value is not None
    assert (found.low, found.high) == (None, None)
    assert "a jackknife needs 3 groups of examples: simulated has 2" in found.reason
    assert true_r(a, b) == Estimate(reason=found.reason)


def test_effects_that_rest_on_one_group_have_no_interval():
    effects = np.array([0.0, 0.0, 0.0, -1.0])
    without = np.tile(effects, (9, 1))
    without[0] = 0.0
    a, b = NoisyEffects("one", effects, without), two(SMALL)[0]
    b = NoisyEffects("other", b.effects[:4], b.without[:, :4])
    found = measured_r(a, b)
    assert found.value is not None
    assert found.low is None
    assert "without one group all effects on a domain are equal" in found.reason


def test_identical_samples_do_not_break_fishers_z():
    a, _ = two(SMALL)
    found = measured_r(a, NoisyEffects("same", a.effects, a.without))
    assert found.value == pytest.approx(1.0)
    assert found.high <= 1.0


@pytest.mark.repeats
@pytest.mark.parametrize("name", ["premises of three", "30 documents of 10"])
def test_intervals_hold_the_truth(name):
    found = coverage(SCENARIOS[name], runs=120, seed=5)
    assert found.measured >= 0.89  # three standard errors of 120 runs below .95
    assert found.true >= 0.89
    assert found.median_true == pytest.approx(found.r_true, abs=0.08)
    assert found.r_measured < found.r_true - 0.03


@pytest.mark.repeats
@pytest.mark.parametrize("runs", [200, pytest.param(2000, marks=pytest.mark.exhaustive)])
@pytest.mark.parametrize("name", ["strong signal", "premises of three"])
def test_intervals_of_few_groups_hold_the_truth_as_often_as_they_say(name, runs):
    smaller = replace(SCENARIOS[name], heads=24, groups=SCENARIOS[name].groups // 2)
    found = coverage(smaller, runs=runs, seed=6)
    fewest = stats.binom.ppf(0.001, runs, 0.935) / runs
    assert min(found.measured, found.true) >= fewest
    for width in (found.width_measured, found.width_true):
        assert 0.9 <= width <= 1.35, "of few groups they are somewhat careful"
    assert found.median_true == pytest.approx(found.r_true, abs=0.06)


@pytest.mark.parametrize("groups", [1, 2])
def test_too_few_groups_leave_r_and_a_reason(groups: int):
    a, b = two(SMALL)
    few = replace(a, without=a.without[:groups])
    found = measured_r(few, b)
    assert found.value == pytest.approx(stats.pearsonr(a.effects, b.effects).statistic)
    assert (found.low, found.high) == (None, None)
    assert f"{a.domain} has {groups}" in str(found.reason)
    assert true_r(few, b).value is None
