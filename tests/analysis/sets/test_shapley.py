"""Shapley values from stored outcomes: those of the game, both errors, what stands beside them, what is not whole."""

from pathlib import Path

import numpy as np
import pytest
from fixtures.samples import sample_of, sentences
from fixtures.sets.games import additive, glove, quadratic
from made_games import LAYOUT, all_design, fill_game, kernel_design, near_design
from simulated_sets import coverage_of_values, coverage_where_stopped

from analysis import read_results
from analysis.inference import Inference
from analysis.sets.coalition_sizes import size_table
from analysis.sets.shapley import Coalitions, coalition_samples, shapley_pair_table, shapley_table, values_of
from study.record.designs.coalitions import kernel_coalitions
from study.record.designs.estimates import kernel_matrix
from study.record.metrics import Bleu

FAST = Inference(resamples=200)
WORTH = np.array([0.5, 0.3, -0.2, 0.1, 0.6, 0.3, 0.0, 0.4])


def coalitions_of(results: Path, game, design, **options) -> Coalitions:
    fill_game(results, game, [design], **options)
    (found,) = coalition_samples(read_results(results).designs, FAST)
    return found


def test_values_of_the_loss_are_those_of_the_game(results: Path) -> None:
    table = shapley_table(coalitions_of(results, additive(WORTH), kernel_design(80))).filter(scale="loss")
    np.testing.assert_allclose(table["value"], WORTH, atol=1e-5)
    np.testing.assert_allclose(table["alone"], WORTH, atol=1e-5)
    row = table.row(0, named=True)
    assert (row["coalitions"], row["exact"], row["average"]) == (80, False, "shapley")
    assert table["value"].sum() == pytest.approx(row["base_score"] - row["empty_score"])
    assert row["error_coalitions"] == pytest.approx(0, abs=1e-6), "an additive game leaves none"
    assert row["error_examples"] > 0
    assert row["low"] < row["value"] < row["high"]


def test_all_sets_have_no_error_of_coalitions_and_semivalues_besides(results: Path) -> None:
    found = coalitions_of(results, glove, all_design(), noise=0.01)
    table = shapley_table(found)
    shapley = table.filter(scale="loss", average="shapley")
    np.testing.assert_allclose(shapley["value"], [7 / 8, *[1 / 56] * 7], atol=0.01)
    assert shapley["exact"].all()
    assert shapley["error_coalitions"].abs().max() == 0
    near = table.filter(scale="loss", average="semivalue")
    assert near["value"][0] == pytest.approx(1 - 0.1**7, abs=0.01)
    assert set(table["scale"]) == {"score", "loss", "margin"}
    for scale in found.scales:
        values = table.filter(scale=scale, average="shapley")
        assert values["value"].sum() == pytest.approx(values["base_score"][0] - values["empty_score"][0])


def test_masks_near_the_full_set_have_semivalues(results: Path) -> None:
    table = shapley_table(coalitions_of(results, additive(WORTH), near_design(100))).filter(scale="loss")
    assert set(table["average"]) == {"semivalue"}
    assert set(table["kept"]) == {0.9}
    np.testing.assert_allclose(table["value"], WORTH, atol=1e-5)


def test_mean_scores_by_size(results: Path) -> None:
    found = coalitions_of(results, lambda on: float(on.sum() ** 2), all_design())
    table = size_table(found).filter(scale="loss")
    assert table["size"].to_list() == list(range(9))
    assert table["coalitions"].to_list() == [1, 8, 28, 56, 70, 56, 28, 8, 1]
    np.testing.assert_allclose(table["score"].to_numpy() + 40, np.arange(9) ** 2, atol=1e-4)
    assert table["low"].null_count() == 9, "all sets are known: none was drawn"


def test_complements_of_half_size_count_as_one_draw(results: Path) -> None:
    """Of a game in which a set pays what its complement costs, the mean over pairs is the same in all."""
    found = coalitions_of(results, lambda on: float(WORTH[on].sum() - WORTH[~on].sum()), kernel_design(80))
    row = size_table(found).filter(scale="loss", size=4).row(0, named=True)
    assert row["highest"] - row["lowest"] > 0.5
    assert row["high"] - row["low"] == pytest.approx(0, abs=1e-4)
    beside = size_table(found).filter(scale="loss", size=3).row(0, named=True)
    assert beside["high"] - beside["low"] > 0.1


def test_interactions_of_two_from_the_same_coalitions(results: Path) -> None:
    both = np.zeros((8, 8))
    both[1, 4] = 0.7
    found = coalitions_of(results, quadratic(WORTH, both), kernel_design(240))
    table = shapley_pair_table(found).filter(scale="loss")
    paid = dict(zip(zip(table["a"], table["b"], strict=True), table["interaction"], strict=True))
    assert paid.pop(("encoder_self.0.1", "encoder_self.1.0")) == pytest.approx(0.7, abs=1e-5)
    assert np.abs(list(paid.values())).max() < 1e-5
    few = coalitions_of(results / "few", quadratic(WORTH, both), kernel_design(40))
    assert shapley_pair_table(few).is_empty()


def test_a_sample_that_was_cut_short_is_used_as_far_as_it_is_whole(results: Path) -> None:
    design = kernel_design(80)
    keys = design.keys(LAYOUT)
    late = next(key for number, key in enumerate(keys) if number > 40 and keys.index(key) == number)
    found = coalitions_of(results, additive(WORTH), design, lacking=[late])
    assert found.stored.asked == 82
    assert len(found.design) == keys.index(late) - keys.index(late) % 2
    np.testing.assert_allclose(shapley_table(found).filter(scale="loss")["value"], WORTH, atol=1e-5)


def test_sets_are_scored_on_the_examples_that_they_share(results: Path) -> None:
    """A later search has measured the empty set on other examples than the forty of the sample."""
    design, some = kernel_design(80), [f"home-{number}" for number in range(40)]
    seen = dict.fromkeys(design.keys(LAYOUT)[1:], some) | {design.keys(LAYOUT)[1]: [f"home-{n}" for n in range(90)]}
    table = shapley_table(coalitions_of(results, additive(WORTH), design, seen=seen)).filter(scale="loss")
    assert (table["n"][0], table["coalitions"][0]) == (40, 80), "drawn coalitions, without the two ends"


@pytest.mark.parametrize("runs", [40, pytest.param(1000, marks=pytest.mark.exhaustive)])
@pytest.mark.parametrize(
    ("noise", "not_enough"), [(0.3, "examples alone"), (20.0, "coalitions alone")], ids=["coalitions", "examples"]
)
def test_intervals_hold_the_values_as_often_as_they_say(runs: int, noise: float, not_enough: str) -> None:
    held = coverage_of_values(runs, 1, noise=noise)
    slack = 4 * np.sqrt(0.05 * 0.95 / runs / 2) * (runs < 1000)
    assert 0.93 - slack <= held["both"] <= 0.985 + slack
    assert held[not_enough] < 0.9, "one error alone is not enough"


def test_scores_that_are_no_means_pass_each_resample_through_the_same_map() -> None:
    """BLEU of coalitions of a toy translation, against a loop over resamples, and over pairs of coalitions left out."""
    units, groups = 3, 25
    on = kernel_coalitions(units, 24, 0)
    sets, at = np.unique(-(on @ (1 << np.arange(units))), return_inverse=True)  # the full set first
    noises = [0.1 + 0.2 * (units - bin(-number).count("1")) - 0.05 * (-number & 1) for number in sets]
    sums = sentences(groups, tuple(noises), 4)
    sample, estimate = sample_of(sums, Bleu()), kernel_matrix(on)
    found = values_of(estimate, sample, at, 0)

    def bleu(sentences_: np.ndarray) -> np.ndarray:
        return np.array([Bleu().score(sums[mask, sentences_].sum(axis=0)) for mask in range(len(sets))])[at]

    every = bleu(np.arange(groups))
    np.testing.assert_allclose(found.values, estimate.matrix @ every, atol=1e-9)
    rng, drawn = np.random.default_rng(1), []
    for _ in range(400):
        drawn.append(estimate.matrix @ bleu(rng.integers(groups, size=groups)))
    np.testing.assert_allclose(found.by_examples, np.std(drawn, axis=0), rtol=0.2)
    pairs = [np.delete(np.arange(len(on)), [2 + 2 * k, 3 + 2 * k]) for k in range(12)]
    anew = np.array([kernel_matrix(on[some]).matrix @ every[some] for some in pairs])
    np.testing.assert_allclose(found.by_coalitions**2, 11 * anew.var(axis=0), rtol=1e-8)
    assert (found.error >= np.maximum(found.by_examples, found.by_coalitions)).all()


def test_intervals_hold_where_a_width_has_ended_the_sample() -> None:
    held = coverage_where_stopped(60, 3)
    assert held["looks paid for"] >= 0.95 - 0.015
    assert held["not paid for"] < held["looks paid for"]
    assert 40 < held["coalitions"] < 160
