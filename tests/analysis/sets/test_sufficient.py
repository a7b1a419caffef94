"""Sets that some examples chose: the verdict of the others, its limits, sets beside them, the path of the search."""

import io
import re
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from fixtures.samples import flipping, true_effects
from fixtures.sets.games import additive
from made_games import LAYOUT, fill_game, search_designs
from rich.console import Console

import sixteen_heads as heads
from analysis import analyse, read_results, write_report
from analysis.inference import Inference
from analysis.sets import sets
from analysis.sets.sufficient import Verdict, lower_limits, path_table, sufficient_table, verdicts
from analysis.sets.words import sufficient_words
from analysis.terminal import print_sets
from study.record.designs import Design, DesignKind
from study.record.designs.names import CHOSEN

FAST = Inference(resamples=400)
WORTH = np.array([0.6, 0.6, 0.02, 0.01, 0.5, 0.02, 0.01, 0.3])
CHOOSING = tuple(f"home-{number}" for number in range(120))
SETS = {CHOSEN: (2, 3, 5, 6), "importance": (0, 3, 5, 6), "effect": (2, 3, 5, 6)}
STEPS = (("full", ()), ("importance", (2, 3)), ("effect", (2, 3, 5, 6)))


def game(on: np.ndarray) -> float:
    return additive(WORTH)(on) - 1.6


def verdict_of(results: Path, *, lose: float = 8.0, count: int = 600, noise: float = 0.02) -> Verdict:
    steps, chosen = search_designs(SETS, STEPS, lose=lose, choosing=CHOOSING)
    fill_game(results, game, [chosen], hidden=[steps], count=count, noise=noise)
    (found,) = verdicts(list(read_results(results).designs), FAST)
    return found


def test_the_verdict_is_of_examples_that_did_not_choose(results: Path) -> None:
    verdict = verdict_of(results)
    table = sufficient_table(verdict)
    row = table.row(0, named=True)
    assert (row["n"], row["chose"], row["groups"], row["kept"], row["units"]) == (480, 120, 160, 4, 8)
    own = read_results(results).domains[0]
    rows = verdict.stored.domain.rows
    judging = rows.filter(mask=LAYOUT.full_key)["example"]
    assert not set(judging) & set(CHOOSING)
    assert own.examples.height == 600
    right = rows.filter(mask=verdict.stored.keys[0])["correct"].mean()
    assert row["score"] == pytest.approx(100 * right)
    assert row["effect"] == pytest.approx(row["score"] - row["base_score"])


def test_the_limit_is_one_sided_and_decides(results: Path) -> None:
    table = sufficient_table(verdict_of(results))
    chosen, important, _ = table.rows(named=True)
    assert chosen["limit"] < chosen["effect"] <= 0
    assert chosen["sufficient"] == (chosen["limit"] >= -8.0) is True
    assert important["effect"] < chosen["effect"]
    strict = sufficient_table(verdict_of(results / "strict", lose=0.01)).row(0, named=True)
    assert not strict["sufficient"]
    assert strict["needed"] > strict["n"], "a hundredth of a point takes more examples than there are"


def test_the_number_needed_follows_from_the_error(results: Path) -> None:
    row = sufficient_table(verdict_of(results)).row(0, named=True)
    error = row["standard_error"]
    assert (row["n"], row["groups"]) == (480, 160)
    expected = row["groups"] * ((1.6449 + 0.8416) * error / 8.0) ** 2
    assert row["needed"] == pytest.approx(expected, abs=1)


def test_sets_beside_it_are_compared_and_an_equal_one_is_not_tested(results: Path) -> None:
    table = sufficient_table(verdict_of(results))
    chosen, important, equal = table.rows(named=True)
    assert important["ahead"] == pytest.approx(chosen["score"] - important["score"])
    assert important["ahead_p_corrected"] <= 0.05
    assert important["ahead_low"] > 0
    assert equal["ahead"] == 0
    assert equal["ahead_p_corrected"] is None
    assert chosen["ahead_low"] is None


def test_the_path_is_of_the_examples_that_chose_and_no_mask_lacks_anything(results: Path) -> None:
    verdict_of(results)
    read = read_results(results)
    assert read.domains[0].left_out == ()
    (steps,) = (one for one in read.designs if one.design.kind is DesignKind.STEP)
    table = path_table(steps, FAST)
    assert table["by"].to_list() == ["full", "importance", "effect"]
    assert table["kept"].to_list() == [8, 6, 4]
    assert set(table["n"]) == {120}
    assert table["off"].to_list()[1] == "encoder_self.0.2 encoder_self.0.3"
    assert not sets(read, FAST).warnings  # type: ignore[union-attr]


def searched(results: Path, limit: int, *, sets: dict = SETS, lose: float = 8.0) -> Design:
    """Store a search among the first examples, in a folder that has the full set and each head's removal on all."""
    some, choosing = [f"home-{number}" for number in range(limit)], CHOOSING[: limit // 2]
    steps, chosen = search_designs(sets, STEPS, lose=lose, choosing=choosing)
    seen = dict.fromkeys(chosen.keys(LAYOUT), some) | dict.fromkeys(steps.keys(LAYOUT)[1:-1], choosing)
    fill_game(results, game, [steps, chosen], count=300, noise=0.02, seen=seen)
    return chosen


def test_a_search_among_fewer_examples_than_others_were_measured_on_has_its_verdict(results: Path) -> None:
    searched(results, 90)
    found = sets(read_results(results), FAST)
    assert found is not None
    assert set(found.sufficient["n"]) == {45}, "those of the search that did not choose"
    assert found.sufficient["set"].to_list() == list(SETS)
    assert set(found.path["n"]) == {45}
    assert found.warnings == ()


def test_a_search_without_examples_that_judge_says_so(results: Path) -> None:
    steps, chosen = search_designs(SETS, STEPS, lose=8, choosing=CHOOSING)
    fill_game(results, game, [], hidden=[steps, chosen], count=300)
    found = sets(read_results(results), FAST)
    assert found is not None
    assert found.sufficient.is_empty()
    (warning,) = found.warnings
    assert "(to lose at most 8) has no verdict" in warning


def test_searches_that_share_judges_are_warned_of(results: Path) -> None:
    designs = [search_designs(SETS, STEPS, lose=lose, choosing=CHOOSING)[1] for lose in (8, 4)]
    fill_game(results, game, designs, count=300, noise=0.02)
    found = sets(read_results(results), FAST)
    assert found is not None
    (warning,) = found.warnings
    assert "2 searches are judged by examples that they share" in warning


def test_masks_that_only_a_search_tried_are_not_told_to_lack_examples(results: Path) -> None:
    steps, chosen = search_designs(SETS, STEPS, lose=8, choosing=CHOOSING)
    singles = [LAYOUT.key(mask) for mask in LAYOUT.each_off()]
    seen = dict.fromkeys(singles, CHOOSING)
    fill_game(results, game, [chosen], hidden=[steps], count=300, noise=0.02, seen=seen)
    assert read_results(results).domains[0].left_out == ()
    fill_game(results / "cut", game, [chosen], hidden=[steps], count=300, seen=dict.fromkeys(singles, CHOOSING[:50]))
    assert "8 masks lack examples" in read_results(results / "cut").domains[0].left_out[0]


def test_sets_that_are_not_on_even_ground_are_told_to_be_so(results: Path) -> None:
    verdict = verdict_of(results)
    table = sufficient_table(verdict)
    gates = table[1].with_columns(set=pl.lit("gates"), kept=pl.lit(6, pl.Int64), ahead=pl.lit(-0.5))
    told = list(sufficient_words(verdict, pl.concat([table[:1], gates, table[2].with_columns(set=pl.lit("oracle"))])))
    assert "above 0 where it is better): by gates, which keep 6, −0.5" in told[1].replace("-", "−")
    assert "by oracle, which has seen the examples that judge, " in told[1]
    assert "ahead" not in told[1]


def test_the_page_and_the_terminal_say_whether_it_suffices(results: Path) -> None:
    verdict_of(results)
    analysis = analyse(read_results(results), FAST)
    page = write_report(analysis, results / "analysis")
    html = page.read_text()
    text = " ".join(re.sub(r"<[^>]+>", " ", html[html.index('id="sufficient"') :]).split())
    assert "4 of 8 heads suffice, as far as measured. Judged by 480 examples that did not choose them" in text
    assert "the set is shown to lose no more than 8" in text
    assert "as many heads chosen in other ways (points, above 0 where it is better): by importance +" in text
    assert "Kept: L0H0, L0H1, L1H0, L1H3." in text
    assert list((page.parents[1] / "figures" / "sets").glob("sufficient-*.svg"))
    assert (page.parents[1] / "tables" / "sufficient_path.csv").is_file()
    assert analysis.sets is not None
    chosen = heads.sufficient(results, FAST)
    assert chosen.table.equals(analysis.sets.sufficient)
    assert chosen.path.equals(analysis.sets.path)
    assert len(chosen.sets()) == 1
    assert "suffice, as far as measured" in str(chosen)
    out = io.StringIO()
    print_sets(analysis.sets, Console(file=out, width=80))
    assert "suffice, as far as measured" in " ".join(out.getvalue().split())


@pytest.mark.parametrize("runs", [60, pytest.param(1000, marks=pytest.mark.exhaustive)])
def test_a_set_that_loses_just_too_much_is_rarely_shown_to_suffice(runs: int) -> None:
    """At the margin itself the verdict errs with probability alpha."""
    rng, shown = np.random.default_rng(0), 0
    for _ in range(runs):
        sample = flipping(rng, groups=200, size=2, flip=np.array([0.2]), to_wrong=np.array([0.7]), within_groups=0.3)
        shown += lower_limits(sample, 0.05, countable=True)[0] >= true_effects(np.array(0.2), np.array(0.7))
    assert shown / runs <= 0.05 + 0.015 + 3 * np.sqrt(0.05 * 0.95 / runs) * (runs < 1000)
