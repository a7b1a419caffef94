"""Interactions of pairs: their values in games that pay for pairs, their names, their level, what is not tested."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest
from fixtures.samples import sample_of
from fixtures.sets.games import additive, quadratic
from made_games import LAYOUT, fill_game, pair_design
from simulated_sets import ALPHA, false_interactions, false_interactions_of_bleu, found_interactions, interactions

from analysis import read_results
from analysis.inference import Inference
from analysis.inference.contrasts import FEWEST_CHANGED, Contrasts
from analysis.results.read import scored_by
from analysis.sets.pairs import COMPLEMENTARY, REDUNDANT, Pairs, pair_table
from analysis.sets.redundancy import redundancy_table
from study.record.units import HeadLayout

FAST = Inference(resamples=400)
WORTH = np.array([0.5, 0.3, 0.2, 0.1, 0.6, 0.3, 0.2, 0.4])


def pairs_of(results: Path, game, inference: Inference = FAST, **options) -> Pairs:
    fill_game(results, game, [pair_design()], **options)
    (design,) = read_results(results).designs
    return Pairs.of(design, inference)


def paid(first: float, second: float) -> np.ndarray:
    """What is paid for two pairs of heads that are on: 0 and 1 of the first layer, 2 and 3 of it."""
    both = np.zeros((8, 8))
    both[0, 1], both[2, 3] = first, second
    return both


def test_interactions_are_those_of_the_game(results: Path) -> None:
    pairs = pairs_of(results, quadratic(WORTH, paid(0.5, -0.4)))
    table = pair_table(pairs).filter(scale="loss")
    expected = {("encoder_self.0.0", "encoder_self.0.1"): 0.5, ("encoder_self.0.2", "encoder_self.0.3"): -0.4}
    for row in table.rows(named=True):
        assert row["interaction"] == pytest.approx(expected.get((row["a"], row["b"]), 0.0), abs=1e-5)
        assert row["interaction"] == pytest.approx(row["effect_both"] - row["effect_a"] - row["effect_b"])
    assert table.height == 12
    first = table.row(0, named=True)
    assert first["effect_a"] == pytest.approx(-(0.5 + 0.5), abs=1e-5), "harm is below 0: the loss is negated"
    assert pairs.matrix[0, 1] == pairs.matrix[1, 0] == first["interaction"]
    assert np.isnan(pairs.matrix[0, 4]), "no pair of one layer"


def test_a_pair_is_named_where_all_scales_agree_and_the_loss_is_significant(results: Path) -> None:
    flat = quadratic(0.05 * WORTH, paid(1.2, -1.5))
    pairs = pairs_of(results, flat, noise=0.02, count=600)
    table = pair_table(pairs)
    named = {tuple(row) for row in table.drop_nulls("named").select("a", "b", "named").unique().iter_rows()}
    assert named == {
        ("encoder_self.0.0", "encoder_self.0.1", COMPLEMENTARY),
        ("encoder_self.0.2", "encoder_self.0.3", REDUNDANT),
    }
    assert set(table["scale"]) == {"score", "loss", "margin"}
    signs = table.drop_nulls("named").group_by("a").agg(pl.col("interaction").sign().n_unique())
    assert signs["interaction"].to_list() == [1, 1]


def test_a_sign_that_one_scale_lacks_leaves_a_pair_without_a_name(results: Path) -> None:
    """The loss interacts, but no answer changes: the score has no sign."""
    pairs = pairs_of(results, quadratic(0.01 * WORTH + 3, paid(0.3, -0.3)), noise=0.02)
    table = pair_table(pairs)
    assert table.filter(scale="loss")["significant"].sum() >= 2
    assert table.filter(scale="score")["interaction"].abs().max() == 0
    assert table["named"].null_count() == table.height


def test_few_changed_groups_are_not_tested() -> None:
    rng = np.random.default_rng(0)
    sums = np.ones((22, 100, 2), dtype=np.int64)
    sums[7, : FEWEST_CHANGED - 1, 0] = 0
    sums[8, :FEWEST_CHANGED, 0] = 0
    sums[9:] = rng.integers(0, 2, (13, 100, 1)) * [1, 0] + [0, 1]
    found = Contrasts.of(sample_of(sums), interactions(), 200, 0)
    assert found.changed[:2].tolist() == [FEWEST_CHANGED - 1, FEWEST_CHANGED]
    assert np.isnan(found.p_corrected[0])
    assert found.p_corrected[1] < 0.05
    assert np.isnan(found.interval(0.05)[:, 0]).all()
    assert found.estimates[0] == pytest.approx(-19)


def test_nothing_to_test_is_no_fault() -> None:
    found = Contrasts.of(sample_of(np.ones((22, 30, 2), dtype=np.int64)), interactions(), 200, 0)
    assert np.isnan(found.p).all()
    assert np.isnan(found.p_corrected).all()


def test_redundancy_is_estimated_on_the_half_that_did_not_select(results: Path) -> None:
    """Of pure noise the best partners look redundant on the half that chose them, and not on the other."""
    found, naive = [], []
    for seed in range(12):
        pairs = pairs_of(results / str(seed), additive(WORTH), noise=0.5, seed=seed)
        table = redundancy_table(pairs)
        found.append(table["redundancy"].mean())
        naive.append(np.nansum(np.minimum(pairs.matrix, 0), axis=1).mean())
        assert table["partners"].to_list() == [3] * 8
    assert np.mean(naive) < -0.05
    assert abs(np.mean(found)) < 0.25 * abs(np.mean(naive))


def test_redundancy_of_a_redundant_pair(results: Path) -> None:
    table = redundancy_table(pairs_of(results, quadratic(WORTH, paid(0.5, -0.4)), noise=0.01))
    by = dict(table.select("address", "redundancy").iter_rows())
    assert by["encoder_self.0.2"] == pytest.approx(-0.4, abs=0.06)
    assert by["encoder_self.0.0"] == pytest.approx(0, abs=0.03), "complementary partners do not count"
    row = table.filter(address="encoder_self.0.2").row(0, named=True)
    assert row["low"] < row["redundancy"] < row["high"] < 0
    assert row["groups_selecting"] + row["groups_estimating"] == 40


def test_a_design_is_scored_on_the_examples_of_its_masks_and_a_pair_without_rows_is_left_out(results: Path) -> None:
    design = pair_design()
    key = design.keys(LAYOUT)[4]
    fill_game(results, additive(WORTH), [design], lacking=[key])
    found = read_results(results)
    (stored,) = found.designs
    assert len(stored.design) == stored.asked - 1 == 11
    assert key not in stored.keys
    assert found.domains[0].masks == {LAYOUT.full_key, *map(LAYOUT.key, LAYOUT.each_off())}
    assert not found.domains[0].left_out


def test_single_units_that_were_not_removed_make_no_pairs(results: Path) -> None:
    pairs = pairs_of(results, additive(WORTH), singles=False)
    assert pairs.places == ()
    assert pair_table(pairs).is_empty()
    assert redundancy_table(pairs).is_empty()


def test_another_metric_scores_designs_too(results: Path) -> None:
    fill_game(results, additive(WORTH), [pair_design()])
    (stored,) = scored_by(read_results(results), ["loss"]).designs
    assert set(Pairs.of(stored, FAST).scales) == {"score", "margin"}
    assert stored.domain.metric.name == "loss"


def test_one_head_a_layer_has_pairs_over_layers(results: Path) -> None:
    layout = HeadLayout(dict.fromkeys(LAYOUT.counts, (1, 1, 1)))
    fill_game(results, additive(WORTH[:3]), [pair_design(layout, "all")], layout=layout)
    pairs = Pairs.of(read_results(results).designs[0], FAST)
    assert len(pairs.places) == 3


@pytest.mark.parametrize("runs", [60, pytest.param(2000, marks=pytest.mark.exhaustive)])
def test_large_effects_that_add_up_are_rarely_called_interactions(runs: int) -> None:
    slack = 4 * np.sqrt(ALPHA * (1 - ALPHA) / runs) * (runs < 2000)
    for found in (false_interactions(runs, 1), false_interactions_of_bleu(runs, 3)):
        assert found["one"] <= ALPHA + 0.015 + slack / 2
        assert found["any"] <= ALPHA + 0.015 + slack


def test_interactions_are_found() -> None:
    assert found_interactions(20, 2) > 0.8
