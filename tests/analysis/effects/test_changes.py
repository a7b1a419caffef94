from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from analysis.effects.changes import change_counts, changes
from analysis.effects.head_effects import effects
from analysis.results.domain import Domain
from analysis.results.read import read_domain
from analysis.results.rescoring import rescored
from study.record.metrics.numbers import PER_UNIT


@pytest.fixture(params=["accuracy", "bleu"])
def domain(request, make) -> Domain:
    return read_domain(make(request.param, count=12).folder)


def test_counts_are_those_of_a_loop_over_examples(domain):
    heads = change_counts(changes(domain)).filter(level="head").drop("level")
    counts = {row[:3]: row[3:] for row in heads.iter_rows()}
    rows = {(row["mask"], row["example"]): row for row in domain.rows.iter_rows(named=True)}
    full = domain.layout.full_key
    for head in domain.layout.heads:
        without = domain.layout.key(domain.layout.without([head]))
        lost = gained = other = 0
        for example in domain.examples["example"]:
            before, after = rows[full, example], rows[without, example]
            old, new = (
                float(domain.metric.score(np.array([row[name] for name in domain.metric.statistics])))
                for row in (before, after)
            )
            lost, gained = lost + (new < old), gained + (new > old)
            other += new == old and before.get("hypothesis") != after.get("hypothesis")
        assert counts.get((str(head.kind), head.layer, head.index), (0, 0, 0)) == (lost, gained, other)


def test_of_accuracy_the_effect_is_made_of_them(make):
    domain = read_domain(make(count=40).folder)
    counts = change_counts(changes(domain))
    both = effects(domain).filter(measure="ablation").join(counts, on=["kind", "layer", "head"])
    assert both.height > 3
    assert both["effect"].to_list() == pytest.approx((100 * (both["gained"] - both["lost"]) / both["n"]).to_list())


def test_the_largest_change_comes_first_then_the_surest(domain):
    found = changes(domain)
    for _, own in found.group_by("kind", "layer", "head"):
        keys = list(zip((own["before"] - own["after"]).abs(), own["margin"], strict=True))
        assert keys == sorted(keys, reverse=True)


def test_the_answer_of_a_regression_is_its_output(make):
    domain = read_domain(make(count=12).folder)
    outputs = pl.Series("output", [5 * PER_UNIT // 4 + i for i in range(domain.rows.height)])
    found = changes(replace(domain, rows=domain.rows.with_columns(outputs)))
    assert {*found["was"], *found["now"]} == {"1.25"}


def test_of_a_loss_what_moves_by_less_than_the_margin_is_no_change(make):
    stored = read_domain(make(count=12).folder)
    full = pl.col("mask") == stored.layout.full_key
    moved = pl.int_range(pl.len()).over("mask") % 3
    loss = pl.when(full).then(0.5).otherwise(0.5 + pl.col("by"))
    by = moved.replace_strict({0: 0.001, 1: 0.02, 2: -0.02}, return_dtype=pl.Float64)
    rows = stored.rows.with_columns(by=by).with_columns(loss=loss, prediction=0).drop("by")
    found = changes(rescored(replace(stored, rows=rows), "loss"))
    assert change_counts(found).select("lost", "gained", "other").unique().rows() == [(4, 4, 0)]
    assert (found["after"] - found["before"]).abs().to_list() == pytest.approx([0.02] * found.height, abs=1e-6)
