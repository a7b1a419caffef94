"""Effects on parts of the examples, against scipy and against effects of those examples alone."""

from dataclasses import replace

import numpy as np
import polars as pl
import pytest
from scipy import stats

from analysis import rescored
from analysis.effects import parts
from analysis.effects.head_effects import effects
from analysis.effects.parts import LABEL, LENGTH, part_effects
from analysis.inference import Inference
from analysis.results.read import read_domain

LABELS = ("yes", "no", "perhaps")
SINGLE = Inference(groups="example", resamples=200)


def test_of_independent_examples_the_interval_is_that_of_a_paired_t_test(make):
    """The jackknife of a mean is its standard error; every head flips at least 20 examples."""
    domain = read_domain(make(count=900, weights=np.full(16, 0.4), labels=LABELS).folder)
    found = part_effects(domain, SINGLE)
    assert set(found["interval"]) == {"jackknife"}
    rows = domain.rows.join(domain.examples.select("example", "target"), on="example")
    right = {key: own for (key,), own in rows.group_by("mask")}
    for head in domain.layout.heads:
        without, full = right[domain.layout.key(domain.layout.without([head]))], right[domain.layout.full_key]
        both = full.join(without, on="example", suffix="_without")
        for label in LABELS:
            own = both.filter(target=label)
            change = 100 * (own["correct_without"] - own["correct"]).to_numpy()
            low, high = stats.ttest_1samp(change, 0).confidence_interval(0.95)
            row = found.filter(part=label, kind=str(head.kind), layer=head.layer, head=head.index).row(0, named=True)
            assert (row["by"], row["parts"], row["n"]) == (LABEL, 3, 300)
            assert [row["effect"], row["low"], row["high"]] == pytest.approx([change.mean(), low, high])


@pytest.mark.parametrize("name", ["accuracy", "bleu"])
def test_an_effect_on_a_part_is_the_effect_of_its_examples(make, name):
    domain = read_domain(make(name, count=60, genres=2).folder)
    found = part_effects(domain, SINGLE).filter(by="genre", level="head")
    assert set(found["part"]) == {"genre0", "genre1"}
    for (part,), own in found.group_by("part"):
        examples = domain.examples.filter(genre=part)
        rows = domain.rows.filter(pl.col("example").is_in(examples["example"].implode()))
        alone = effects(replace(domain, examples=examples, rows=rows, curves=()), SINGLE).filter(measure="ablation")
        assert own["effect"].to_list() == pytest.approx(alone["effect"].to_list())
        assert set(own["n"]) == {examples.height}
        assert (own["low"] <= own["effect"]).all()
        assert (own["effect"] <= own["high"]).all()


def test_few_flips_have_an_interval_that_is_no_point(make):
    domain = read_domain(make(count=40, weights=np.zeros(16), genres=2).folder)
    found = part_effects(domain, SINGLE)
    assert set(found["interval"]) == {"flips"}
    assert set(found["effect"]) == {0.0}
    assert (found["low"] < 0).all()
    assert (found["high"] > 0).all()


def test_translations_are_parted_by_the_length_of_their_source(make):
    domain = read_domain(make("bleu", count=80).folder)
    spans = (
        part_effects(domain, SINGLE).filter(by=LENGTH).unique("part", maintain_order=True).select("part", "n").rows()
    )
    ends = [(int(part.split(" ")[0]), int(part.split(" ")[-1])) for part, _ in spans]
    assert ends == sorted(ends)
    length = domain.examples["text_1"].str.split(" ").list.len()
    assert [n for _, n in spans] == [int(length.is_between(low, high).sum()) for low, high in ends]
    assert sum(n for _, n in spans) == 80


def test_a_column_that_names_examples_is_no_part_and_of_many_parts_the_largest_are_shown(make, monkeypatch):
    domain = read_domain(make(count=60, genres=5).folder)
    names = pl.Series("name", [str(i // 2) for i in range(60)])
    domain = replace(domain, examples=domain.examples.with_columns(names))
    assert set(part_effects(domain, SINGLE)["by"]) == {"genre"}
    monkeypatch.setattr(parts, "MOST", 2)
    found = part_effects(domain, SINGLE)
    assert found["part"].n_unique() == 2
    assert set(found["parts"]) == {5}


def test_one_group_has_no_interval(make):
    domain = read_domain(make(count=40, genres=2).folder)
    found = part_effects(domain, Inference(groups="genre", resamples=200))
    assert set(found["groups"]) == {1}
    assert found.select("low", "high", "interval").null_count().row(0) == (found.height,) * 3


def test_values_are_parted_into_quarters():
    values = np.round(0.37 * np.arange(60) % 5, 2)
    spans = parts._quarters(pl.Series(values))
    assert spans.n_unique() == 4
    for span, value in zip(spans, values, strict=True):
        low, high = map(float, span.split(" to "))
        assert low <= value <= high
    assert parts._quarters(pl.Series([3, 3, 3, 3])).to_list() == ["3"] * 4


@pytest.mark.parametrize("name", ["matthews", "f1_macro"])
def test_a_score_that_examples_of_one_label_do_not_have_is_not_told_of_them(make, name):
    domain = rescored(read_domain(make(count=90, weights=np.full(16, 0.3), labels=LABELS, genres=2).folder), name)
    assert set(part_effects(domain, SINGLE)["by"]) == {"genre"}
    of_one_label = domain.examples.with_columns(genre=pl.col("target"))
    found = part_effects(replace(domain, examples=of_one_label), SINGLE)
    assert found.is_empty() == (name == "matthews")
