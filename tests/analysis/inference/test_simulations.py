"""Intervals, tests and corrections against known truth; the quick runs allow for their own chance."""

import numpy as np
import pytest
from simulations import (
    ALPHA,
    FLIPS,
    coverage,
    coverage_of_bleu,
    errors_over_heads,
    power_at_detectable,
    power_of_few_groups,
    size_of_tests,
    size_on_bleu,
)

ENOUGH = FLIPS.index(20)
GROUPED = {"size": 4, "within_groups": 0.7}

few, many = (
    pytest.param(runs, marks=mark) for runs, mark in ((400, pytest.mark.repeats), (2000, pytest.mark.exhaustive))
)
runs = pytest.mark.parametrize("runs", [few, many])
grouping = pytest.mark.parametrize("groups", [{}, GROUPED], ids=["examples", "groups"])


def chance(rate: float, runs: int) -> float:
    """How far the rate in so many runs may be from the true one: four standard errors, as many are looked at."""
    return 4 * np.sqrt(rate * (1 - rate) / runs) * (runs < 2000)


@runs
@grouping
def test_intervals_hold_the_truth_as_often_as_they_say(runs, groups) -> None:
    held = coverage(runs, 1, **groups)
    slack = chance(0.95, runs)
    assert (held["used"][ENOUGH:] >= 0.93 - slack).all()
    assert (held["used"][ENOUGH:] <= (0.98 if groups else 0.97) + slack).all()  # groups: fewer flips by themselves
    assert (held["used"][:ENOUGH] >= 0.93 - slack).all()  # careful, where flips are few
    assert held["percentile"][0].min() < 0.9  # which is why others take over there
    assert held["conditional"][:, -1].max() < 0.9  # all flips one way: their number is not known


@runs
def test_intervals_of_bleu_hold_the_truth_as_often_as_they_say(runs) -> None:
    for rate in coverage_of_bleu(runs, 3).values():
        assert rate == pytest.approx(0.95, abs=0.02 + chance(0.95, runs))


@runs
@grouping
def test_tests_of_nothing_find_something_as_rarely_as_they_say(runs, groups) -> None:
    found = size_of_tests(runs, 2, **groups)
    for name in ("randomisation", "bootstrap", "jackknife"):
        assert (found[name] <= ALPHA + 0.02 + chance(ALPHA, runs)).all()
    if groups:
        assert found["mcnemar"][-1] > 1.5 * ALPHA  # it knows no groups


@runs
def test_tests_on_bleu_keep_their_level_and_sacrebleus_bootstrap_does_not(runs) -> None:
    found = size_on_bleu(runs, 4)
    for name in ("randomisation", "bootstrap", "jackknife"):
        assert found[name] <= ALPHA + 0.015 + chance(ALPHA, runs)
    assert found["sacrebleu"] > 1.5 * ALPHA


@runs
@pytest.mark.parametrize("between_heads", [0.0, 0.7])
def test_corrections_hold_their_error_with_heads_that_depend_on_each_other(runs, between_heads) -> None:
    found = errors_over_heads(runs, 5, between_heads=between_heads)
    slack = chance(ALPHA, runs)
    for name in ("max_t", "max_t of bootstrap", "holm of mcnemar", "benjamini_yekutieli"):
        assert found[name]["any false" if name != "benjamini_yekutieli" else "share false"] <= ALPHA + 0.01 + slack
    assert found["benjamini_hochberg"]["share false"] <= ALPHA + slack
    assert found["none"]["any false"] > 0.3
    assert found["max_t"]["power"] > found["holm of mcnemar"]["power"]


@runs
def test_the_detectable_effect_is_found_with_the_probability_that_it_promises(runs) -> None:
    assert power_at_detectable(runs, 6) == pytest.approx(0.8, abs=0.05 + chance(0.8, runs))


@pytest.mark.parametrize(("groups", "heads", "least"), [(8, 1, 0.7), (10, 1, 0.7), (10, 16, 0.65)])
def test_of_few_groups_the_detectable_effect_is_found_nearly_as_often(groups, heads, least) -> None:
    by_t, by_normal = power_of_few_groups(400, 7, groups, heads)
    assert least <= by_t <= 0.85
    assert by_normal < by_t
