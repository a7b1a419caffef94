"""Every coefficient against another library, or a loop."""

from itertools import combinations

import krippendorff
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from statsmodels.stats.contingency_tables import cochrans_q
from statsmodels.stats.inter_rater import aggregate_raters, fleiss_kappa

from analysis.agreement import coefficients
from analysis.agreement.coefficients import COEFFICIENTS

KEPT = st.tuples(st.integers(2, 6), st.integers(2, 20)).flatmap(lambda shape: arrays(bool, shape))


@given(KEPT)
def test_alpha_and_kappa_are_those_of_other_libraries(kept: np.ndarray) -> None:
    if kept.all() or not kept.any():
        assert np.isnan(coefficients.fleiss_kappa(kept))
        assert np.isnan(coefficients.krippendorff_alpha(kept))
        return
    alpha = krippendorff.alpha(reliability_data=kept.astype(int), level_of_measurement="nominal")
    assert coefficients.krippendorff_alpha(kept) == pytest.approx(alpha, abs=1e-12)
    table, _ = aggregate_raters(kept.T.astype(int), n_cat=2)
    assert coefficients.fleiss_kappa(kept) == pytest.approx(fleiss_kappa(table), abs=1e-12)


@given(KEPT)
def test_cochrans_q_is_that_of_statsmodels(kept: np.ndarray) -> None:
    if not (kept.any(axis=0) & ~kept.all(axis=0)).any():
        assert np.isnan(coefficients.cochran_q(kept)), "no head is kept by some and not by others"
        return
    theirs = cochrans_q(kept.T.astype(int))
    assert coefficients.cochran_q(kept) == pytest.approx(theirs.statistic, abs=1e-9)
    assert coefficients.cochran_p(kept) == pytest.approx(theirs.pvalue, abs=1e-9)


@given(KEPT)
def test_jaccard_is_that_of_sets(kept: np.ndarray) -> None:
    sets = [set(np.flatnonzero(row)) for row in kept]
    assert coefficients.kept_in_all(kept) == len(set.intersection(*sets))
    pairs = [len(a & b) / len(a | b) for a, b in combinations(sets, 2) if a | b]
    if not pairs:
        assert np.isnan(coefficients.jaccard(kept))
        assert np.isnan(coefficients.jaccard_pairs(kept))
        return
    assert coefficients.jaccard(kept) == pytest.approx(len(set.intersection(*sets)) / len(set.union(*sets)))
    assert coefficients.jaccard_pairs(kept) == pytest.approx(np.mean(pairs))


def test_many_draws_at_once_are_each_alone() -> None:
    kept = np.random.default_rng(0).random((7, 3, 10)) < 0.4
    for name, coefficient in COEFFICIENTS.items():
        assert coefficient(kept) == pytest.approx([float(coefficient(one)) for one in kept]), name
