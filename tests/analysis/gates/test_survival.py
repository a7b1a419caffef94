"""Survival of heads over seeds: chance by listing all sets, by simulation, and what the tables say of planted sets."""

from itertools import combinations, product

import numpy as np
import pytest
from scipy import stats

from analysis.agreement import KeptSets
from analysis.gates import survival as room
from analysis.gates.survival import Null, at_least, reach, survival
from study.record.units import AttentionKind, HeadLayout

HEADS = HeadLayout({AttentionKind.ENCODER_SELF: (3, 3)}).heads
SMALL = KeptSets(
    "small", "seed", ("0", "1", "2"), HEADS, np.array([[1, 1, 0, 1, 0, 0], [1, 0, 1, 1, 1, 0], [1, 1, 0, 0, 0, 0]]) == 1
)
ABOUT = {"comparison": "toy on home", "method": "learned subset", "amount": "3 heads", "updates": 100}


def every_count(kept: np.ndarray) -> np.ndarray:
    """In how many seeds each head survives, for all sets of the sizes that there are."""
    heads = range(kept.shape[1])
    sets = product(*([np.isin(heads, own) for own in combinations(heads, int(row.sum()))] for row in kept))
    return np.array([np.sum(own, axis=0) for own in sets])


def listed(sets: KeptSets, *, within_layers: bool) -> np.ndarray:
    """Numbers of heads that survive at least 1, 2 ... times, in all sets there are."""
    parts = [every_count(kept) for kept in sets.strata(within_layers=within_layers)]
    every = [np.concatenate(counts) for counts in product(*parts)]
    return at_least(np.array(every), len(sets.raters))


@pytest.mark.parametrize("within_layers", [False, True])
def test_chance_is_what_a_list_of_all_sets_gives(within_layers: bool) -> None:
    null, every = Null.of(SMALL, 0, within_layers=within_layers), listed(SMALL, within_layers=within_layers)
    assert null.expected == pytest.approx(every.mean(axis=0))
    for times in (1, 2, 3):
        for survive in range(5):
            exact, error = (every[:, times - 1] >= survive).mean(), 4 / np.sqrt(room.DRAWS)
            assert null.p(times, survive) == pytest.approx(exact, abs=1e-9 if times == 3 else error)


def test_how_often_a_head_survives_is_a_sum_of_unequal_trials() -> None:
    assert reach(np.full(5, 0.25)) == pytest.approx(stats.binom.sf(range(5), 5, 0.25))
    shares = np.array([0.1, 0.5, 0.9])
    kept = np.array(list(product([0, 1], repeat=3)))
    chances = np.where(kept == 1, shares, 1 - shares).prod(axis=1)
    assert reach(shares) == pytest.approx([chances[kept.sum(axis=1) >= times].sum() for times in (1, 2, 3)])


def test_the_table_says_who_survives_and_how_unlikely_that_is() -> None:
    table, heads = survival([(ABOUT, SMALL)], seed=3)
    assert table["times"].to_list() == [2, 3]
    assert table["survive"].to_list() == [3, 1]
    assert table.select("fewest", "most", "heads", "seeds").row(0) == (2, 4, 6, 3)
    every = listed(SMALL, within_layers=False)
    p = [(every[:, at] >= survive).mean() for at, survive in ((1, 3), (2, 1))]
    assert table["p"].to_list() == pytest.approx(p, abs=0.05)
    least, most = sorted(table["p"])
    assert sorted(table["p_corrected"]) == pytest.approx([min(1, 2 * least), max(min(1, 2 * least), most)])
    first = heads.row(0, named=True)
    assert (first["kept_by"], first["who"]) == (3, "0, 1, 2")
    assert first["p"] == pytest.approx(3 / 6 * 4 / 6 * 2 / 6)
    assert first["p_corrected"] == pytest.approx((every[:, 2] >= 1).mean())
    assert heads.filter(kept_by=0)["p"].to_list() == [None]


def test_heads_that_every_seed_keeps_are_beyond_chance_and_random_ones_are_not() -> None:
    layout = HeadLayout({AttentionKind.ENCODER_SELF: (12,) * 6}).heads
    same = np.tile(np.arange(72) % 12 < 2, (5, 1))
    rng = np.random.default_rng(1)
    raters = tuple("01234")
    sets = [KeptSets("a", "seed", raters, layout, kept) for kept in (same, rng.permuted(same, axis=1))]
    planted, drawn = (survival([(ABOUT, own)], seed=0)[0] for own in sets)
    assert planted["survive"].to_list() == [12, 12, 12, 12]
    assert (planted["p_corrected"][1:] < 0.01).all(), "by chance some 18 heads are kept twice"
    assert (drawn["p_corrected"] > 0.05).all()


@pytest.mark.exhaustive
def test_p_values_hold_their_level() -> None:
    layout = HeadLayout({AttentionKind.ENCODER_SELF: (12,) * 6}).heads
    rng, found = np.random.default_rng(0), []
    for _ in range(400):
        kept = rng.permuted(np.tile(np.arange(72) < 12, (5, 1)), axis=1)
        table, _ = survival([(ABOUT, KeptSets("a", "seed", tuple("01234"), layout, kept))], seed=0)
        found.append(table["p_corrected"].min())
    assert np.mean(np.array(found) <= 0.05) < 0.05 + 3 * np.sqrt(0.05 * 0.95 / 400)
