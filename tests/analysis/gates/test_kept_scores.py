"""Scores of kept heads: by hand, by a bootstrap written out, and by seed as scipy has it."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from fixtures.results import CLASSIFIER, TRANSLATOR
from made_trainings import LEARNED, SUBSET, UNPRUNED, UPDATES, by_order, fill_gated
from scipy import stats

from analysis import analyse, read_results
from analysis.gates import Gates, gates
from analysis.gates.kept_heads import KeptHeads
from analysis.inference import Inference
from analysis.inference.seeds import over_seeds
from analysis.results.domain import Domain
from study.record.units import AttentionKind

FAST = Inference(resamples=2000)
EVERY = range(16)


def found_in(results: Path, inference: Inference = FAST) -> Gates:
    found = gates(read_results(results), inference)
    assert found is not None
    return found


def several(results: Path, seeds: int, keep: int = 4) -> None:
    """Un-pruned, a learned subset and importance on some seeds; importance costs more, by another amount each seed."""
    for seed in range(seeds):
        fill_gated(results, UNPRUNED, EVERY, seed=seed)
        fill_gated(results, {**SUBSET, "keep": keep}, range(seed, seed + keep), seed=seed, harm=0.2 + 0.03 * seed)
        fill_gated(results, by_order("importance", keep), range(keep), seed=seed, harm=0.4 + 0.05 * seed)


def accuracy(domain: Domain, mask: str) -> np.ndarray:
    rows = domain.rows.filter(mask=mask)
    return domain.examples.join(rows, on="example", maintain_order="left")["correct"].to_numpy()


def test_scores_and_differences_are_those_of_the_stored_answers(results: Path) -> None:
    several(results, seeds=2)
    found = found_in(results)
    domains = {domain.kept[0].options["training"]: domain for domain in read_results(results).domains}
    for row in found.kept.rows(named=True):
        domain = domains[row["training_id"]]
        right = accuracy(domain, domain.kept[0].masks[-1])
        assert row["score"] == pytest.approx(100 * right.mean())
        assert row["score_low"] < row["score"] < row["score_high"]
        assert row["kept"] == domain.kept[0].masks[-1].count("1")
        assert row["heads"] == 16
    unpruned, subset = (
        found.kept.filter(method=name, seed=1).row(0, named=True) for name in ("un-pruned", "learned subset")
    )
    assert unpruned["difference"] is None
    assert subset["difference"] == pytest.approx(subset["score"] - unpruned["score"])
    pairs = [domains[row["training_id"]] for row in (subset, unpruned)]
    own, other = (accuracy(domain, domain.kept[0].masks[-1]).reshape(-1, 3).sum(axis=1) for domain in pairs)
    rng = np.random.default_rng(5)
    drawn = rng.integers(40, size=(4000, 40))
    differences = 100 * (own - other)[drawn].sum(axis=1) / 120
    low, high = np.quantile(differences, [0.025, 0.975])
    assert (subset["difference_low"], subset["difference_high"]) == pytest.approx((low, high), abs=1.0)


def test_five_seeds_have_an_interval_over_seeds_and_three_have_none(results: Path, tmp_path: Path) -> None:
    several(results, seeds=5)
    several(tmp_path / "three", seeds=3)
    found, three = found_in(results), found_in(tmp_path / "three")
    row = found.differences.row(by_predicate=pl.col("method_a") == "kept by importance", named=True)
    scores = {
        name: found.kept.filter(method=name).sort("seed")["score"].to_numpy()
        for name in ("un-pruned", "learned subset", "kept by importance")
    }
    paired = scores["kept by importance"] - scores["learned subset"]
    expected = stats.ttest_1samp(paired, 0).confidence_interval(0.95)
    assert row["difference"] == pytest.approx(paired.mean())
    assert row["deviation"] == pytest.approx(paired.std(ddof=1))
    assert (row["seeds_low"], row["seeds_high"]) == pytest.approx(tuple(expected))
    curve = found.curves.row(by_predicate=pl.col("method") == "learned subset", named=True)
    assert curve["score"] == pytest.approx(scores["learned subset"].mean())
    lost = stats.ttest_1samp(scores["learned subset"] - scores["un-pruned"], 0).confidence_interval(0.95)
    assert (curve["difference_seeds_low"], curve["difference_seeds_high"]) == pytest.approx(tuple(lost))
    assert three.differences["seeds_low"].to_list() == [None]
    assert three.differences["low"].null_count() == 0
    assert three.curves["score_seeds_low"].null_count() == three.curves.height


def test_over_seeds_is_students_interval() -> None:
    numbers = np.random.default_rng(2).normal(size=6)
    assert over_seeds(list(numbers), 0.1) == pytest.approx(
        tuple(stats.ttest_1samp(numbers, 0).confidence_interval(0.9))
    )
    assert over_seeds([1.0, 2.0, 3.0, 4.0], 0.05) == (None, None)


@pytest.mark.exhaustive
def test_intervals_over_seeds_hold_the_truth() -> None:
    rng = np.random.default_rng(0)
    held = [low < 0 < high for low, high in (over_seeds(list(rng.normal(size=5)), 0.05) for _ in range(4000))]
    assert np.mean(held) == pytest.approx(0.95, abs=0.012)


def test_the_loss_is_the_mean_over_examples_by_their_weights(results: Path) -> None:
    store = fill_gated(results, SUBSET, range(4), harm=0.2)
    assert store is not None
    domain = read_results(results).domains[0]
    loss = np.random.default_rng(0).gamma(1, 1, domain.rows.height)
    kept = domain.rows["mask"].to_numpy() == domain.kept[0].masks[-1]
    weight = np.arange(1.0, domain.rows.height + 1)
    with_loss = replace(domain, rows=domain.rows.with_columns(loss=pl.Series(loss)))
    weighted = replace(with_loss, rows=with_loss.rows.with_columns(weight=pl.Series(weight)))
    assert KeptHeads(domain, domain.kept[0], FAST).loss is None
    assert KeptHeads(with_loss, domain.kept[0], FAST).loss == pytest.approx(loss[kept].mean())
    expected = (loss * weight)[kept].sum() / weight[kept].sum()
    assert KeptHeads(weighted, domain.kept[0], FAST).loss == pytest.approx(expected)


def test_only_equal_numbers_of_heads_after_equal_updates_are_compared(results: Path) -> None:
    fill_gated(results, UNPRUNED, EVERY)
    fill_gated(results, LEARNED, range(5), harm=0.1)
    fill_gated(results, by_order("importance", 4), range(4), harm=0.1)
    fill_gated(results, by_order("oracle", 5), range(5), harm=0.1, updates=2 * UPDATES)
    found = found_in(results)
    assert found.differences.is_empty()
    assert any("no two methods keep as many heads of each kind" in line for line in found.warnings)
    fill_gated(results, by_order("importance", 5), range(5), harm=0.3)
    (row,) = found_in(results).differences.rows(named=True)
    assert (row["method_a"], row["method_b"], row["at"]) == ("Hard Concrete gates", "kept by importance", "λ 0.05")
    assert any("total updates differ" in line and "kept by oracle 400" in line for line in found_in(results).warnings)


def test_several_random_masks_of_a_seed_count_as_one(results: Path) -> None:
    for seed in range(2):
        for drawn, harm in ((0, 0.1), (1, 0.5)):
            gates_ = {"name": "kept", "order": {"name": "random"}, "seed": drawn, "keep": 4}
            fill_gated(results, gates_, range(drawn, drawn + 4), seed=seed, harm=harm)
        fill_gated(results, SUBSET, range(4), seed=seed)
    found = found_in(results)
    (row,) = found.differences.rows(named=True)
    scores = found.kept.group_by("method", "seed").agg(pl.col("score").mean()).sort("seed")
    subset, at_random = (scores.filter(method=name)["score"] for name in ("learned subset", "kept at random"))
    assert row["seeds"] == 2
    assert row["difference"] == pytest.approx((at_random - subset).mean())
    assert any("no un-pruned model of the same seed and updates" in line for line in found.warnings)


def test_heads_of_a_scope_are_compared_by_themselves(results: Path) -> None:
    encoder = {**LEARNED, "scope": ["encoder_self"]}
    off = [i for i, head in enumerate(TRANSLATOR.heads) if head.kind is AttentionKind.ENCODER_SELF][3:]
    kept = [i for i in range(len(TRANSLATOR)) if i not in off]
    fill_gated(results, UNPRUNED, range(36), layout=TRANSLATOR, name="bleu")
    fill_gated(results, encoder, kept, layout=TRANSLATOR, name="bleu", harm=0.1)
    fill_gated(results, by_order("importance", 27), kept, layout=TRANSLATOR, name="bleu", harm=0.2)
    fill_gated(results, LEARNED, range(0, 36, 2), layout=TRANSLATOR, name="bleu", harm=0.1)
    found = found_in(results)
    names = {own.name: own.heads for own in found.comparisons}
    assert names == {"toy_gated on home": 36, "toy_gated on home, encoder self heads": 12}
    row = found.kept.filter(pl.col("method") == "Hard Concrete gates", heads=12).row(0, named=True)
    assert (row["kept"], row["by_kind"], row["unit"]) == (3, "encoder_self 3", "BLEU")
    assert found.differences.filter(pl.col("method_b") == "kept by importance")["by_kind"].to_list() == [
        "encoder_self 3"
    ], "a given mask stands beside the scope that it is of"
    whole = found.kept.filter(pl.col("method") == "Hard Concrete gates", heads=36).row(0, named=True)
    assert whole["by_kind"] == "encoder_self 6, decoder_self 6, cross 6"
    assert found.kept.filter(method="un-pruned").height == 2


def test_trainings_from_the_same_weights_are_compared_whatever_their_names(results: Path) -> None:
    for gates_, kept, model, initial, start in (
        (UNPRUNED, range(16), "plain", "w1", "a"),
        (LEARNED, range(5), "gated", "w1", "a"),
        (by_order("gates", 5), range(5), "scratch", "random", "a"),
        (SUBSET, range(4), "other", "w2", "b"),
    ):
        scratch, tried = initial == "random", {"start": start}
        fill_gated(results, gates_, kept, model=model, initial=initial, scratch=scratch, tried=tried)
    found = found_in(results)
    assert [own.name for own in found.comparisons] == ["gated, plain and scratch on home", "other on home"]
    assert found.kept.filter(comparison="gated, plain and scratch on home")["unpruned_score"].null_count() == 0
    assert "kept by gates, from scratch" in found.kept["method"].to_list()


def test_kept_heads_are_no_pruning_curve_and_their_models_no_subjects(results: Path) -> None:
    several(results, seeds=2)
    analysis = analyse(read_results(results), FAST)
    assert analysis.points.is_empty()
    assert not analysis.subjects
    assert not analysis.namesakes
    assert analysis.gates is not None
    assert len(CLASSIFIER) == 16


def test_results_without_gates_cost_nothing(make, results: Path) -> None:
    make("accuracy")
    assert gates(read_results(results), FAST) is None
    assert analyse(read_results(results), FAST).gates is None
