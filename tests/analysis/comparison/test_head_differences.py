"""Differences of effects between subjects, against scipy's paired interval and against independence."""

from dataclasses import replace

import numpy as np
import polars as pl
import pytest
from fixtures.results import CLASSIFIER
from scipy import stats

from analysis.comparison import head_differences as module
from analysis.comparison.head_differences import head_differences
from analysis.correlation.domain_effects import DomainEffects
from analysis.results.read import read_domain
from study.record.factors import Factors


def measured(make, model: str, *, seed: int = 0, groups: str = "example", **options):
    """A domain of home with its effects; the same seed makes the same examples."""
    weights = np.random.default_rng(sum(map(ord, model))).gamma(0.5, 0.2, len(CLASSIFIER))
    domain = read_domain(make(model=model, seed=seed, count=200, weights=weights, weights_file=model, **options).folder)
    return domain, DomainEffects.of(domain, groups)


def changes(domain, head) -> np.ndarray:
    """What removing a head changes on each example, in points."""
    rows = {key: own.sort("example")["correct"].to_numpy() for (key,), own in domain.rows.group_by("mask")}
    return 100.0 * (rows[domain.layout.key(domain.layout.without([head]))] - rows[domain.layout.full_key])


def test_on_the_same_examples_it_is_the_paired_interval(make):
    one, other = measured(make, "one"), measured(make, "other")
    found = head_differences([one, other], 0.05)
    assert found.height == len(CLASSIFIER)
    assert set(found["shared"]) == {200}
    for head, row in zip(one[1].heads, found.rows(named=True), strict=True):
        difference = changes(other[0], head) - changes(one[0], head)
        low, high = stats.ttest_1samp(difference, 0).confidence_interval(0.95)
        expected = [difference.mean(), low, high]
        assert [row["difference"], row["low"], row["high"]] == pytest.approx(expected, nan_ok=True)
        assert row["difference"] == pytest.approx(row["effect_b"] - row["effect_a"])


def test_on_other_examples_variances_add_up(make):
    one, other = measured(make, "one", seed=0), measured(make, "other", seed=1)
    found = head_differences([one, other], 0.05)
    assert set(found["shared"]) == {0}
    for head, row in zip(one[1].heads, found.rows(named=True), strict=True):
        error = np.hypot(stats.sem(changes(one[0], head)), stats.sem(changes(other[0], head)))
        assert (row["high"] - row["low"]) / 2 == pytest.approx(stats.t.ppf(0.975, 199) * error)


def test_only_subjects_of_the_same_heads_metric_and_data_are_compared_and_not_too_many(make, monkeypatch):
    one, other = measured(make, "one"), measured(make, "other")
    assert head_differences([one, one], 0.05).is_empty()
    assert head_differences([one, (replace(other[0], data="away"), other[1])], 0.05).is_empty()
    translated = read_domain(make("bleu", model="third", count=12).folder)
    third = (translated, DomainEffects.of(translated))
    assert head_differences([one, third], 0.05).is_empty()
    assert module.too_many([one, other]) == []
    monkeypatch.setattr(module, "MOST_PAIRS", 0)
    assert head_differences([one, other], 0.05).is_empty()
    (said,) = module.too_many([one, other])
    assert "1 pairs of models of the same heads, as no more than 0 are shown" in said
    assert said.endswith("--along compares all along an axis such as seed or replacement")
    (said,) = module.too_many([one, other], along=True)
    assert said.endswith("--model chooses some of them")


def test_one_group_of_examples_has_no_interval(make):
    one, other = measured(make, "one"), measured(make, "other")
    grouped = (each.examples.with_columns(pl.lit("0").alias("group")) for each, _ in (one, other))
    single = [replace(each, examples=examples) for (each, _), examples in zip((one, other), grouped, strict=True)]
    found = head_differences([(each, DomainEffects.of(each)) for each in single], 0.05)
    assert found["low"].null_count() == found.height > 0


@pytest.mark.parametrize(("starts", "compared"), [(("w0", "w1"), False), (("w0", "w0"), True), (("w0", None), True)])
def test_models_known_to_start_from_different_weights_are_not_compared(make, starts, compared):
    places = (Factors("toy", "home", "float32", seed, 3.0, start) for seed, start in enumerate(starts))
    both = [measured(make, name, factors=place) for name, place in zip(("one", "other"), places, strict=True)]
    assert head_differences(both, 0.05).is_empty() != compared
