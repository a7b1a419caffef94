"""Screening: units that random masks point at, confirmed by masks of their own, beside equal budgets."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest
from fixtures.sets.games import additive
from made_games import fill_game, near_design, screen_designs
from simulated_sets import false_confirmations

from analysis import analyse, read_results, write_report
from analysis.inference import Inference
from analysis.sets import sets
from analysis.sets.screening import Screening, screening_table, screenings
from analysis.sets.words import screening_words
from study.record.units import AttentionKind, HeadLayout

FAST = Inference(resamples=400)
LAYOUT = HeadLayout({AttentionKind.ENCODER_SELF: (12, 12, 12)})
WORTH = np.zeros(36)
WORTH[[3, 17, 30]] = 0.8, 0.6, 0.5


def game(on: np.ndarray) -> float:
    return additive(WORTH)(on) - 1.2


NAMED = [("screened", 3), ("screened", 17), ("screened", 30), ("random", 5), ("random", 17), ("important", 3)]
IDS = tuple(f"home-{number}" for number in range(240))


@pytest.fixture
def found(results: Path) -> Screening:
    designs = screen_designs(30, NAMED, IDS, LAYOUT)
    fill_game(results, game, designs, layout=LAYOUT, count=240, noise=0.05, singles=False)
    (one,) = screenings(list(read_results(results).designs), FAST)
    return one


def test_candidates_are_confirmed_by_single_masks(found: Screening) -> None:
    table = screening_table(found)
    assert table["address"].to_list() == [f"encoder_self.{i // 12}.{i % 12}" for i in (3, 17, 30, 5)]
    by = {row["address"]: row for row in table.rows(named=True)}
    first, nothing = by["encoder_self.0.3"], by["encoder_self.0.5"]
    assert (first["screened"], first["random"], first["important"]) == (True, False, True)
    assert (first["masks"], first["units"], first["rate"]) == (30, 36, pytest.approx(0.1))
    assert first["significant"]
    assert first["p_all_units"] < 0.05
    assert first["effect"] < 0
    assert nothing["effect"] == 0 or not nothing["significant"]
    assert first["average_unit"] == "nats"


def test_averages_are_the_lasso_estimates_of_what_the_game_pays(found: Screening) -> None:
    averages = found.averages
    largest = sorted(averages, key=lambda unit: averages[unit])[:3]
    assert set(largest) == {"encoder_self.0.3", "encoder_self.1.5", "encoder_self.2.6"}
    assert averages["encoder_self.0.3"] == pytest.approx(-0.8, abs=0.15), "shrunk a little by the penalty"


def test_random_masks_of_a_screening_are_no_sample_of_values_that_is_too_small(results: Path, found: Screening) -> None:
    everything = sets(read_results(results), FAST)
    assert everything is not None
    assert everything.warnings == ()
    assert everything.shapley.is_empty()


def test_the_page_says_what_it_found_and_of_what_it_is(results: Path, found: Screening) -> None:
    analysis = analyse(read_results(results), FAST)
    html = write_report(analysis, results / "analysis").read_text()
    assert "30 random masks point at 3 of 36 heads; of 3 of these a mask of its own confirms an effect" in html
    assert "corrected over all 36: L0H3" in html
    assert "average effect with 10 % of the others off" in html
    assert "With as many masks (33) single heads at random find 1 effect, those of most importance 1." in html
    assert (results / "analysis" / "tables" / "screening.csv").is_file()


def test_enough_random_masks_of_a_screening_are_a_semivalue_besides(results: Path) -> None:
    designs = [near_design(100, 0.9, LAYOUT), screen_designs(30, NAMED, IDS, LAYOUT)[1]]
    fill_game(results, game, designs, layout=LAYOUT, count=240)
    everything = sets(read_results(results), FAST)
    assert everything is not None
    assert everything.screening["masks"][0] == 30
    assert set(everything.shapley["average"]) == {"semivalue"}
    assert everything.shapley["coalitions"][0] == 100


def test_random_masks_alone_are_a_semivalue_where_there_are_enough(results: Path) -> None:
    fill_game(results, game, [near_design(30, 0.9, LAYOUT)], layout=LAYOUT)
    everything = sets(read_results(results), FAST)
    assert everything is not None
    assert "32 masks" not in "".join(everything.warnings)
    assert "30 masks do not tell 36 units apart: take 72 or more" in "".join(everything.warnings)


def test_a_screening_counts_what_holds_over_all_units(found: Screening) -> None:
    table = screening_table(found)
    assert table["confirmed"].to_list() == [p <= FAST.alpha for p in table["p_all_units"]]
    spoiled = table.with_columns(significant=pl.lit(True), confirmed=pl.lit(False))
    first, _, budget = screening_words(found, spoiled)
    assert "of 0 of these a mask of its own confirms an effect, corrected over all 36." in first
    assert "at random find 0 effects, those of most importance 0." in budget


@pytest.mark.parametrize("runs", [20, pytest.param(400, marks=pytest.mark.exhaustive)])
def test_chance_that_has_chosen_a_unit_does_not_confirm_it(runs: int) -> None:
    found = false_confirmations(runs, 1)
    assert found["over all"] <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / runs)
    assert found["over chosen"] >= 0.15, "which is why it is not told"
