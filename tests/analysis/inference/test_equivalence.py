"""Equivalence against statsmodels and closed forms."""

import numpy as np
import pytest
from fixtures.samples import right_or_wrong
from scipy import stats
from statsmodels.stats.weightstats import ttost_paired

from analysis.inference.discordant_pairs import flip_interval, flips
from analysis.inference.equivalence import equivalence_p, equivalence_p_of_flips
from analysis.inference.minimum_detectable_effect import minimum_detectable_effect
from study.record.designs.jackknife import standard_error


def test_two_one_sided_tests_are_statsmodels() -> None:
    rng = np.random.default_rng(0)
    right = rng.random((4, 200)) < np.array([[0.7], [0.7], [0.6], [0.69]])
    sample = right_or_wrong(right)
    error = standard_error(sample.effects_without_each)
    ours = equivalence_p(sample.effects, error, sample.groups - 1, 5.0)
    theirs = [ttost_paired(100.0 * mask, 100.0 * right[0], -5.0, 5.0)[0] for mask in right[1:]]
    assert ours == pytest.approx(theirs)


def test_no_flip_shows_only_what_its_number_shows() -> None:
    """That none of 1,000 flips is likely up to .5 % of flips with probability .995^1000."""
    sample = right_or_wrong(np.ones((2, 1000)))
    assert equivalence_p_of_flips(flips(sample), 0.5) == pytest.approx(0.995**1000, rel=1e-6)
    assert equivalence_p(np.zeros(1), np.zeros(1), 999, 0.5).tolist() == [1.0]


def test_p_of_flips_is_where_the_interval_touches_the_margin() -> None:
    found = flips(right_or_wrong(np.stack([np.ones(2000), np.r_[np.zeros(2), np.ones(1998)]])))
    p = equivalence_p_of_flips(found, 0.5)
    low, high = flip_interval(found, 2 * p)
    assert low[0] == pytest.approx(-0.5, abs=1e-6)
    assert high[0] < 0.5
    assert equivalence_p_of_flips(found, 0.05).tolist() == [1.0]


def test_detectable_effect_is_the_textbooks() -> None:
    error = np.array([0.2, 0.1, 0.0, 0.3])
    assert minimum_detectable_effect(error, 1.959964, 10**9) == pytest.approx((1.959964 + 0.841621) * 0.2)
    assert minimum_detectable_effect(np.zeros(3), 2.0, 9) is None
    assert minimum_detectable_effect(error, np.inf, 9) is None
    power = stats.norm.sf(1.959964 - minimum_detectable_effect(error, 1.959964, 10**9) / 0.2)
    assert power == pytest.approx(0.8)
