"""Screening: units that random masks point at, confirmed by masks of their own, beside equal budgets."""

from pathlib import Path

import numpy as np
import pytest
from fixtures.sets.games import additive
from made_games import fill_game, near_design, screen_designs

from analysis import analyse, read_results, write_report
from analysis.inference import Inference
from analysis.sets import sets
from analysis.sets.screening import Screening, screening_table, screenings
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
    assert "30 random masks point at 3 of 36 heads; of 3 of these a mask of its own confirms an effect: L0H3" in html
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
