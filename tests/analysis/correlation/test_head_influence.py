from itertools import combinations

import numpy as np
import pytest
from scipy import stats

from analysis.correlation.coefficients import kendall, spearman
from analysis.correlation.head_influence import by_size, contributions, over_heads, overlap, without_each


def made(seed: int, heads: int = 20) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    a = rng.normal(size=heads)
    return a, a + rng.normal(size=heads)


def test_contributions_add_up_to_r():
    a, b = made(0)
    assert contributions(a, b).sum() == pytest.approx(stats.pearsonr(a, b).statistic)
    assert contributions(np.array([0.0, 0.0, 9.0]), np.array([0.1, 0.0, 9.0])).argmax() == 2


def test_r_without_each_head_is_computed_anew():
    a, b = made(1)
    expected = [np.corrcoef(np.delete(a, i), np.delete(b, i))[0, 1] for i in range(20)]
    assert without_each(a, b) == pytest.approx(expected)
    assert np.isnan(without_each(np.array([0.0, 0.0, 1.0]), np.array([1.0, 2.0, 3.0]))[2])


def test_the_largest_on_either_domain_is_large_whatever_the_unit():
    a, b = np.array([0.1, -5.0, 0.2, 0.3]), 1000 * np.array([0.3, 0.1, 0.0, -9.0])
    assert set(by_size(a, b)[:2]) == {1, 3}
    assert by_size(a).tolist() == [1, 3, 2, 0]
    rows = np.stack([a, b])
    assert np.array_equal(by_size(rows, rows[::-1])[0], by_size(a, b))


@pytest.mark.parametrize("k", [1, 3, 6])
def test_overlap_and_its_chance_agree_with_every_choice_written_out(k):
    a, b = made(2, heads=8)
    lead = [set(np.argsort(effects)[:k]) for effects in (a, b)]
    found = overlap(a, b, k)
    assert (found.shared, found.k) == (len(lead[0] & lead[1]), k)
    chance = [len(lead[0] & set(choice)) for choice in combinations(range(8), k)]
    assert found.expected == pytest.approx(np.mean(chance))
    assert found.p == pytest.approx(np.mean(np.array(chance) >= found.shared))


def test_heads_of_equal_effect_share_the_last_places():
    a = np.array([-3.0, -1.0, -1.0, -1.0, 0.0])
    b = np.array([-3.0, -2.0, 0.0, 0.0, 0.0])
    rng = np.random.default_rng(0)
    drawn = [
        len(
            set(np.lexsort((rng.random(5), a))[:2]) & set(np.lexsort((rng.random(5), b))[:2]),
        )
        for _ in range(4000)
    ]
    found = overlap(a, b, 2)
    assert found.shared == pytest.approx(1 + 1 / 3)
    assert found.shared == pytest.approx(np.mean(drawn), abs=0.03)
    assert found.p == 1 - 3 / 10  # of at least one whole head: 1 - C(3, 2) / C(5, 2)


def test_the_interval_over_heads_is_scipys_percentile_bootstrap():
    a, b = made(3, heads=60)
    found = over_heads(a, b, np.random.default_rng(0), resamples=9_999)
    expected = stats.bootstrap(
        (a, b),
        lambda x, y, axis: stats.pearsonr(x, y, axis=axis).statistic,
        paired=True,
        method="percentile",
        rng=np.random.default_rng(1),
    ).confidence_interval
    assert found == pytest.approx(tuple(expected), abs=0.02)
    assert found == over_heads(a, b, np.random.default_rng(0), resamples=9_999)


def test_the_interval_over_heads_needs_draws_that_differ():
    assert over_heads(np.array([0.0, 0.0, 1.0]), np.array([0.0, 1.0, 2.0]), np.random.default_rng(0)) is None


def test_rank_correlations_equal_scipy_with_equal_effects():
    a, b = np.array([0.0, 0.0, 1.0, 2.0, 2.0, 5.0]), np.array([1.0, 0.0, 1.0, 1.0, 3.0, 4.0])
    assert spearman(a, b) == pytest.approx(stats.spearmanr(a, b).statistic)
    concordant = sum(np.sign((a[i] - a[j]) * (b[i] - b[j])) for i, j in combinations(range(6), 2))
    pairs = [sum(x[i] != x[j] for i, j in combinations(range(6), 2)) for x in (a, b)]
    assert kendall(a, b) == pytest.approx(concordant / np.sqrt(np.prod(pairs)))
