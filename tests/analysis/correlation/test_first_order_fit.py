"""Taylor against truth: gradients made so that the answer is known, and the jackknife against its formula."""

from dataclasses import replace

import numpy as np
import polars as pl
import pytest
from fixtures.language_results import fill_language
from fixtures.results import CLASSIFIER
from scipy import stats

from analysis.correlation.first_order_fit import jackknifed, taylor
from analysis.inference import Inference
from analysis.results.read import read_domain
from study.record.store import Store
from study.record.tables import GRADIENTS
from study.record.units import AttentionKind, HeadLayout, UnitLevel

HARM = np.linspace(0.01, 0.4, 16)


def with_gradients(make, values: np.ndarray, noise: float = 0.0, **options) -> Store:
    store: Store = make(weights=HARM, count=400, **options)
    rng = np.random.default_rng(1)
    examples = store.read().rows.filter(mask="1" * 16)["example"]
    rows = values + noise * rng.normal(size=(examples.len(), 16))
    columns = {
        "loss": np.ones(examples.len(), dtype=np.float32),
        "gradient": rows.astype(np.float32),
        "token_gradient": np.abs(rows).astype(np.float32),
        "source_tokens": np.full(examples.len(), 5),
        "target_tokens": np.full(examples.len(), 5),
    }
    store.write(pl.DataFrame({"mask": ["1" * 16] * examples.len(), "example": examples, **columns}), {}, GRADIENTS)
    return store


def overall(table: pl.DataFrame, estimator: str = "paper") -> dict[str, float]:
    return table.filter(estimator=estimator, normalisation="none", units="head", cost="score").row(0, named=True)


def test_importance_in_the_order_of_the_cost_correlates_as_scipy_says(make) -> None:
    domain = read_domain(with_gradients(make, HARM).folder)
    scores = dict(domain.rows.group_by("mask").agg(pl.col("correct").mean()).iter_rows())
    cost = [-scores[CLASSIFIER.key(CLASSIFIER.without([head]))] for head in CLASSIFIER.heads]
    table = taylor(domain)
    row = overall(table)
    assert row["spearman"] == pytest.approx(stats.spearmanr(HARM, cost).statistic)
    assert row["spearman"] > 0.9
    assert row["pearson"] == pytest.approx(stats.pearsonr(HARM, cost).statistic)
    assert row["pearson_low"] <= row["pearson"] <= row["pearson_high"] <= 1
    assert row["low"] <= row["spearman"] <= row["high"] <= 1
    assert overall(table, "signed")["spearman"] == pytest.approx(-row["spearman"], abs=1e-9)
    assert table["n"].unique().to_list() == [400]


def test_chance_has_an_interval_around_nothing(make) -> None:
    row = overall(taylor(read_domain(with_gradients(make, np.zeros(16), noise=1.0).folder)))
    assert row["low"] < 0 < row["high"]


def test_groups_and_level_are_those_asked_for(make) -> None:
    domain = read_domain(with_gradients(make, HARM, noise=0.5).folder)
    rows = [
        overall(taylor(domain, Inference(groups=groups, alpha=alpha)))
        for groups, alpha in (("group", 0.05), ("auto", 0.05), ("example", 0.05), ("auto", 0.2))
    ]
    (low, high), auto, example, narrow = [(row["low"], row["high"]) for row in rows]
    assert auto == (low, high) != example
    assert low < narrow[0] < narrow[1] < high


def test_a_single_group_has_no_interval(make) -> None:
    domain = read_domain(with_gradients(make, HARM).folder)
    one = replace(domain, examples=domain.examples.with_columns(group=pl.lit("same")))
    row = overall(taylor(one))
    assert row["spearman"] == overall(taylor(domain))["spearman"]
    assert (row["low"], row["high"]) == (None, None)


def test_nothing_without_gradients_and_no_number_where_all_are_equal(make) -> None:
    assert taylor(read_domain(make(data="other").folder)).is_empty()
    row = overall(taylor(read_domain(with_gradients(make, np.ones(16)).folder)))
    assert row["spearman"] is None


def test_groups_and_mlps_have_the_sum_of_their_gradients_and_a_loss_that_is_the_score_is_named_once(results) -> None:
    kind = AttentionKind.DECODER_SELF
    layout = HeadLayout({kind: (4, 4, 4)}, groups={kind: (2, 2, 2)}, mlps=(0, 1, 2))
    costs = {(i,): 0.05 * (i + 1) ** 1.5 for i in range(layout.width)}
    store = fill_language(results, "ioi", layout=layout, costs=costs, scored_by="loss")
    rows = store.read().rows.filter(mask=layout.full_key)
    gradients = -np.tile([*costs.values()], (rows.height, 1)).astype(np.float32)
    columns = {"gradient": gradients, "token_gradient": -gradients, "loss": np.ones(rows.height, dtype=np.float32)}
    columns |= dict.fromkeys(("source_tokens", "target_tokens"), np.full(rows.height, 5))
    store.write(rows.select("mask", "example").with_columns(**columns), {}, GRADIENTS)
    table = taylor(read_domain(store.folder))
    assert table["cost"].unique().to_list() == ["loss"]
    for level in (UnitLevel.group, UnitLevel.mlp):
        units = layout.units(level)
        estimates = [sum(costs[i,] for i in np.flatnonzero(~mask)) for mask in layout.each_off(units)]
        found = table.filter(units=str(level), estimator="signed", normalisation="none")
        lost = store.read().rows.group_by("mask").agg(pl.col("loss").mean())
        losses = dict(lost.iter_rows())
        cost = [losses[layout.key(mask)] - losses[layout.full_key] for mask in layout.each_off(units)]
        assert found["pearson"].to_list() == [pytest.approx(stats.pearsonr(estimates, cost).statistic)]
    assert "released_code" not in table.filter(units="group")["estimator"].to_list()
    assert table.filter(units="mlp")["normalisation"].unique().to_list() == ["none"]


def test_the_interval_is_that_of_the_jackknife() -> None:
    x = np.random.default_rng(2).normal(size=20)
    without = [(x.sum() - value) / 19 for value in x]
    _, low, high = jackknifed(np.tanh([x.mean(), *without]), 0.05)
    half = stats.sem(x) * stats.t.ppf(0.975, 19)
    assert np.arctanh([low, high]) == pytest.approx([x.mean() - half, x.mean() + half])
    assert jackknifed(np.array([np.nan, 1.0]), 0.05) == (None, None, None)
    assert jackknifed(np.array([0.5, 1.0]), 0.05) == (0.5, None, None)
