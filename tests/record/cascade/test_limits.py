"""Limits beside enumeration, scipy's hypergeometric, and the interval of Clopper and Pearson."""

from math import comb

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import beta, hypergeom

from study.record.cascade.limits import at_most, round_alpha, sample_size, wrong_limit


@given(st.integers(1, 30), st.data())
@settings(max_examples=60, deadline=None)
def test_probabilities_are_those_of_counting(population: int, data: st.DataObject) -> None:
    sample, among = (data.draw(st.integers(0, population)) for _ in range(2))
    wrong = data.draw(st.integers(0, sample))
    ways = sum(comb(among, k) * comb(population - among, sample - k) for k in range(min(wrong, among) + 1))
    assert at_most(wrong, among, sample, population) == pytest.approx(ways / comb(population, sample), rel=1e-9)


def test_large_populations_lose_no_digits() -> None:
    for population, sample, among in [(10_000_000, 36_870, 1_000), (700_000, 3_687, 700), (5_000_000, 2_000, 40_000)]:
        expected = hypergeom.cdf(2, population, among, sample)
        assert at_most(2, among, sample, population) == pytest.approx(expected, rel=1e-5)


@given(st.integers(1, 200), st.sampled_from([0.2, 0.05, 0.01]), st.data())
@settings(max_examples=60, deadline=None)
def test_the_limit_is_the_largest_number_that_is_not_excluded(population: int, alpha: float, data) -> None:
    sample = data.draw(st.integers(0, population))
    wrong = data.draw(st.integers(0, sample))
    possible = range(wrong, population - (sample - wrong) + 1)
    largest = max(number for number in possible if at_most(wrong, number, sample, population) > alpha)
    assert wrong_limit(wrong, sample, population, alpha) == largest


@pytest.mark.parametrize("population", [50, 1_000, 716_000])
@pytest.mark.parametrize(("wrong", "sample"), [(0, 40), (2, 40), (0, 1_000), (7, 1_000)])
def test_a_finite_population_is_told_more_of_than_an_infinite_one(population: int, wrong: int, sample: int) -> None:
    sample = min(sample, population)
    share = float(beta.ppf(0.95, wrong + 1, sample - wrong)) if wrong < sample else 1.0
    assert wrong_limit(wrong, sample, population, 0.05) <= share * population + 1


@pytest.mark.parametrize("population", [1, 37, 3_000, 716_000])
@pytest.mark.parametrize(("bound", "alpha"), [(0.001, 0.025), (0.01, 0.00625), (0.3, 0.05)])
def test_the_sample_is_just_large_enough(population: int, bound: float, alpha: float) -> None:
    size = sample_size(population, bound, alpha)
    assert wrong_limit(0, size, population, alpha) <= bound * population
    assert size == 0 or wrong_limit(0, size - 1, population, alpha) > bound * population


def test_none_wrong_of_three_thousand_excludes_a_thousandth() -> None:
    assert 2_950 < sample_size(10_000_000, 0.001, 0.05) < 3_000
    assert sample_size(100, 0.001, 0.051) == 95, "one wrong is too many, and is among 95 of 100 with .95"


def test_rounds_spend_no_more_than_there_is() -> None:
    assert round_alpha(0.95, 1) == pytest.approx(0.025)
    spent = sum(round_alpha(0.95, number, 3) for number in range(1, 60)) * 3
    assert spent == pytest.approx(0.05)


@pytest.mark.parametrize("counts", [(3, 2, 5), (0, 6, 5), (-1, 2, 5)])
def test_counts_that_cannot_be_are_refused(counts: tuple[int, int, int]) -> None:
    with pytest.raises(ValueError, match="no "):
        wrong_limit(*counts, 0.05)
