"""Trials: how many there were, which was chosen and on what; and what is said where that is unfair."""

from pathlib import Path

import pytest
from made_trainings import LEARNED, SUBSET, UNPRUNED, by_order, fill_gated

from analysis import read_results
from analysis.gates import Gates, gates
from analysis.inference import Inference


def found_in(results: Path) -> Gates:
    found = gates(read_results(results), Inference(resamples=100))
    assert found is not None
    return found


def test_the_best_of_the_trials_is_chosen_on_what_was_held_out(results: Path) -> None:
    held_out = {"held_out": 0.1}
    fill_gated(results, UNPRUNED, range(16), tried=held_out)
    for rate, dev_score in ((1e-5, 70.0), (2e-5, 90.0), (4e-5, 80.0)):
        tried = {**held_out, "learning_rate": rate}
        fill_gated(results, SUBSET, range(4), tried=tried, dev_score=dev_score, scored=rate < 4e-5)
    found = found_in(results)
    rows = found.trials.filter(method="learned subset")
    assert rows["trials"].to_list() == [3, 3, 3]
    assert rows.filter("chosen")["dev_score"].to_list() == [90.0]
    assert rows.filter("chosen")["options"].to_list() == ["learning_rate 2e-05"]
    assert set(rows["dev_data"]) == {"0.1 of toy_train"}
    kept = found.kept.filter(method="learned subset").sort("chosen")
    assert kept["chosen"].to_list() == [False, True]
    assert kept["trials"].to_list() == [3, 3]
    assert found.curves.filter(method="learned subset")["seeds"].to_list() == [1], "what was not chosen is left out"
    (line,) = (line for line in found.warnings if "numbers of trials differ" in line)
    assert "un-pruned 1; learned subset 3" in line


def test_equal_trials_pass_and_those_chosen_on_what_is_scored_do_not(results: Path) -> None:
    for gates_, kept in ((UNPRUNED, range(16)), (SUBSET, range(4)), (by_order("importance", 4), range(4))):
        for rate in (1e-5, 2e-5):
            fill_gated(results, gates_, kept, tried={"learning_rate": rate}, dev_score=80 + 1e5 * rate, data="toy_dev")
    (line,) = found_in(results).warnings
    assert "trials were chosen on toy_dev, on which they are compared" in line


def test_lambdas_numbers_of_heads_seeds_and_random_masks_are_no_trials(results: Path) -> None:
    for seed in range(2):
        for penalty in (0.01, 0.1):
            fill_gated(results, {**LEARNED, "penalty": penalty}, range(4), seed=seed)
        for drawn in range(2):
            at_random = {"name": "kept", "order": {"name": "random"}, "seed": drawn, "keep": 4}
            fill_gated(results, at_random, range(4), seed=seed)
    trials = found_in(results).trials
    assert trials["trials"].unique().to_list() == [1]
    assert trials["chosen"].all()
    assert sorted(trials["amount"].unique()) == ["4 heads", "λ 0.01", "λ 0.1"]


def test_seeds_of_a_part_are_no_trials(results: Path) -> None:
    """Another order of the examples is chance, of which the best must not be chosen."""
    for order in range(3):
        fill_gated(results, SUBSET, range(4), tried={"order_seed": order}, dev_score=70.0 + order)
    trials = found_in(results).trials
    assert trials["trials"].to_list() == [1, 1, 1]
    assert trials["chosen"].all()


def test_a_trial_without_a_score_leaves_the_choice_open(results: Path) -> None:
    fill_gated(results, SUBSET, range(4))
    fill_gated(results, SUBSET, range(4), tried={"learning_rate": 1e-3}, dev_score=None)
    found = found_in(results)
    assert found.trials["chosen"].to_list() == [None, None]
    assert found.kept["chosen"].to_list() == [None, None]


def test_gates_that_differ_in_more_than_the_optimisation_are_no_trials(results: Path) -> None:
    fill_gated(results, UNPRUNED, range(16))
    for reduction, kept in (("sum", range(4)), ("mean", range(12))):
        options = {**LEARNED, "reduction": reduction}
        fill_gated(results, options, kept, dev_score=70.0 + len(kept))
        fill_gated(results, {**options, "learning_rate": 0.5}, kept, dev_score=60.0)
    found = found_in(results)
    tried = found.trials.filter(method="Hard Concrete gates")
    amounts = ["λ 0.05", "λ 0.05 (reduction mean)"]
    assert sorted(tried.filter("chosen")["amount"]) == amounts
    assert set(tried["trials"]) == {2}
    assert set(tried["options"]) == {"gates.learning_rate None", "gates.learning_rate 0.5"}
    curves = found.curves.filter(method="Hard Concrete gates")
    assert dict(curves.select("amount", "kept").iter_rows()) == dict(zip(amounts, (4.0, 12.0), strict=True))


def test_options_that_differ_are_named_beside_the_amount(results: Path) -> None:
    for steps in ("paper", "every"):
        fill_gated(results, {**by_order("reestimated", 4), "steps": steps}, range(4))
    assert sorted(found_in(results).trials["amount"]) == ["4 heads (steps every)", "4 heads (steps paper)"]


def test_differences_are_from_the_unpruned_model_that_was_chosen(results: Path) -> None:
    for rate, dev_score, harm in ((1e-5, 70.0, 0.6), (2e-5, 90.0, 0.0)):
        tried = {"learning_rate": rate}
        fill_gated(results, UNPRUNED, range(15), tried=tried, dev_score=dev_score, harm=harm)
        fill_gated(results, SUBSET, range(4), tried=tried, dev_score=dev_score, harm=0.3)
    kept = found_in(results).kept
    unpruned = kept.filter(method="un-pruned").sort("chosen")
    refused, chosen = unpruned["score"]
    assert refused != chosen
    assert unpruned["unpruned_score"].to_list() == [refused, chosen], "an un-pruned model is its own reference"
    assert unpruned["difference"].null_count() == 2
    for row in kept.filter(method="learned subset").rows(named=True):
        assert row["unpruned_score"] == chosen
        assert row["difference"] == pytest.approx(row["score"] - chosen)


def test_where_one_trial_was_measured_it_is_the_chosen_one(results: Path) -> None:
    for rate, dev_score in ((1e-5, 90.0), (2e-5, 80.0)):
        fill_gated(results, SUBSET, range(4), tried={"learning_rate": rate}, dev_score=dev_score, scored=rate > 1e-5)
    found = found_in(results)
    assert found.kept.select("trials", "chosen").rows() == [(2, True)]
    assert found.trials.filter("chosen")["dev_score"].to_list() == [80.0]
