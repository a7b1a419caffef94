"""Roles of survivors: counted by hand, with Fisher's test by the hypergeometric distribution, and assigned anew."""

from pathlib import Path

import numpy as np
import pytest
from fixtures.attention.planted_rows import plant
from fixtures.results import CLASSIFIER
from made_trainings import SUBSET, UNPRUNED, by_order, fill_gated
from scipy import stats

from analysis import Inference, analyse, read_results
from analysis.gates.roles import fisher
from study.record.units import Head

PREVIOUS = (0, 5, 10, 15)
KEPT = (0, 5, 7, 8)


def test_fisher_is_the_sum_of_hypergeometric_chances() -> None:
    rng = np.random.default_rng(0)
    for members in (1, 3, 6):
        has, kept = (np.isin(np.arange(16), rng.permutation(16)[:count]) for count in (members, 5))
        null = stats.hypergeom(16, members, 5)
        chances = null.pmf(np.arange(6))
        assert fisher(has, kept) == pytest.approx(chances[chances <= null.pmf((has & kept).sum()) * (1 + 1e-9)].sum())


def test_roles_of_survivors_are_those_of_both_models_and_assigned_anew(results: Path) -> None:
    unpruned = fill_gated(results, UNPRUNED, range(16))
    subset = fill_gated(results, SUBSET, KEPT)
    fill_gated(results, by_order("importance", 4), range(4))
    assert unpruned is not None
    assert subset is not None
    heads = {at: {"previous": 0.8} for at in PREVIOUS}
    plant(unpruned, heads, noise=0.1)
    mask = CLASSIFIER.key(np.isin(np.arange(16), KEPT))
    plant(subset, heads | {7: {"separator": 0.8}}, noise=0.1, masks={mask: {0: {"previous": 0.8}}})
    found = analyse(read_results(results), Inference(resamples=200)).gates
    assert found is not None
    own = found.roles.filter(method="learned subset").rows_by_key(["of", "role"], named=True, unique=True)
    previous = own["itself", "previous"]
    assert (previous["members"], previous["left"], previous["anew"]) == (4, 2, 1)
    assert (previous["kept"], previous["heads"], previous["share_left"], previous["share_kept"]) == (4, 16, 0.5, 0.25)
    has, kept = (np.isin(np.arange(16), places) for places in (PREVIOUS, KEPT))
    assert previous["p"] == pytest.approx(fisher(has, kept))
    assert own["itself", "separator"]["left"] == 1
    assert own["itself", "separator"]["p_corrected"] >= own["itself", "separator"]["p"]
    assert own["un-pruned", "previous"]["anew"] is None
    given = found.roles.filter(method="kept by importance")
    assert set(given["of"]) == {"un-pruned"}, "its own attention was not measured"
    assert given["left"].to_list() == [1]
    assert [str(CLASSIFIER.heads[i]) for i in PREVIOUS] == [str(Head.parse(f"encoder_self.{i}.{i}")) for i in range(4)]
