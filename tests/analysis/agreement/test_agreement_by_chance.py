"""What chance gives, exact: by listing all sets, by closed forms, and against the simulation."""

from itertools import combinations, product

import numpy as np
import pytest
from made_sets import made

from analysis.agreement import KeptSets, agreement, chance
from analysis.agreement.coefficients import Coefficient
from study.record.errors import InputError
from study.record.units import AttentionKind, HeadLayout

HEADS = HeadLayout({AttentionKind.ENCODER_SELF: (3, 3)}).heads
SMALL = KeptSets(
    "", "seed", ("0", "1", "2"), HEADS, np.array([[1, 1, 0, 1, 0, 0], [1, 0, 1, 1, 1, 0], [1, 1, 1, 0, 0, 1]]) == 1
)


def every_set(kept: np.ndarray) -> list[tuple[int, ...]]:
    return list(combinations(range(len(kept)), int(kept.sum())))


def test_kept_in_all_is_what_a_list_of_all_sets_gives() -> None:
    every = list(product(*map(every_set, SMALL.kept)))
    common = [len(set.intersection(*map(set, sets))) for sets in every]
    exact = chance.kept_in_all(SMALL, within_layers=False)
    assert exact == pytest.approx(np.bincount(common, minlength=7) / len(every))


def test_within_layers_each_layer_is_dealt_by_itself() -> None:
    layers = [list(product(*map(every_set, kept))) for kept in (SMALL.kept[:, :3], SMALL.kept[:, 3:])]
    common = [sum(len(set.intersection(*map(set, sets))) for sets in both) for both in product(*layers)]
    exact = chance.kept_in_all(SMALL, within_layers=True)
    assert exact == pytest.approx(np.bincount(common, minlength=7) / len(common))


@pytest.mark.parametrize("within_layers", [False, True])
def test_the_simulation_agrees_with_what_is_exact(within_layers: bool) -> None:
    """Kept in all, the mean of kappa in closed form, and sizes that stay."""
    sets, count = made(np.random.default_rng(1)), 4000
    drawn, times = chance.draws(sets, np.random.default_rng(2), count, within_layers=within_layers)
    exact = chance.kept_in_all(sets, within_layers=within_layers)
    simulated = np.bincount(drawn[Coefficient.KEPT_IN_ALL].astype(int), minlength=len(exact)) / count
    assert np.abs(simulated - exact).max() < 4 * np.sqrt(0.25 / count)
    assert times.sum() == pytest.approx(len(sets.heads))
    assert times @ np.arange(6) == pytest.approx(sets.sizes.sum()), "as many heads are kept"
    assert drawn[Coefficient.FLEISS_KAPPA].mean() == pytest.approx(expected_kappa(sets, within_layers), abs=0.01)


def expected_kappa(sets: KeptSets, within_layers: bool) -> float:
    """Two raters agree on a head of n by the chance (k l + (n - k)(n - l)) / n^2, in each stratum."""
    agree, total, pairs = 0.0, len(sets.heads), list(combinations(range(len(sets.raters)), 2))
    for kept in sets.strata(within_layers=within_layers):
        n, sizes = kept.shape[1], kept.sum(axis=1)
        agree += sum(sizes[i] * sizes[j] + (n - sizes[i]) * (n - sizes[j]) for i, j in pairs) / n
    share = sets.kept.mean()
    by_chance = share**2 + (1 - share) ** 2
    return (agree / len(pairs) / total - by_chance) / (1 - by_chance)


def test_chance_is_not_zero_where_sizes_differ() -> None:
    heads = HeadLayout({AttentionKind.ENCODER_SELF: (10, 10)}).heads
    kept = np.stack([np.arange(20) < size for size in (2, 18, 10)])
    rows = agreement([KeptSets("", "seed", ("0", "1", "2"), heads, kept)], 500).coefficients
    table = rows.rows_by_key("coefficient", named=True, unique=True)
    assert table["fleiss_kappa"]["chance"] < -0.2
    assert table["jaccard_pairs"]["chance"] > 0.2


def test_raters_who_agree_are_told_from_raters_who_do_not() -> None:
    """Under the null p values are spread over 0 to 1; with heads that all like they are small."""
    rng = np.random.default_rng(3)
    p = {}
    for liking in (0.0, 1.0):
        rows = [
            agreement([made(rng, liking=liking)], 199).coefficients.filter(coefficient="fleiss_kappa")
            for _ in range(40)
        ]
        p[liking] = np.array([row["p"][0] for row in rows])
    assert (p[0.0] <= 0.05).mean() < 0.15
    assert 0.35 < p[0.0].mean() < 0.65
    assert (p[1.0] <= 0.05).mean() > 0.9


def test_a_seed_gives_the_same_numbers_whatever_stands_beside() -> None:
    rng = np.random.default_rng(4)
    one = made(rng)
    other = KeptSets("other", one.along, one.raters, one.heads, ~one.kept)
    alone, beside = agreement([one], 200).coefficients, agreement([other, one], 200).coefficients
    assert alone.equals(beside.filter(task="made"))
    assert not alone.equals(agreement([one], 200, seed=1).coefficients)


def test_two_comparisons_of_one_name_and_a_negative_seed_are_refused() -> None:
    one = made(np.random.default_rng(4))
    with pytest.raises(InputError, match="two comparisons of one name, made"):
        agreement([one, one], 50)
    with pytest.raises(InputError, match="seed must be at least 0, not -1"):
        agreement([one], 50, seed=-1)


def test_where_nothing_is_kept_there_is_no_kappa() -> None:
    nothing = KeptSets("", "seed", ("0", "1"), HEADS, np.zeros((2, 6), dtype=bool))
    found = agreement([nothing], 50)
    table = found.coefficients.rows_by_key("coefficient", named=True, unique=True)
    assert table["fleiss_kappa"]["value"] is table["jaccard"]["value"] is table["cochran_q"]["p"] is None
    assert "There is no kappa" in found.sentences[0]
