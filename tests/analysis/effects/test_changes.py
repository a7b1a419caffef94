import json
from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from analysis.effects.changes import change_counts, changes
from analysis.effects.head_effects import effects
from analysis.page.sections import examples as page_examples
from analysis.page.sections.examples import examples_json
from analysis.results.domain import Domain
from analysis.results.read import read_domain
from study.record.heads import Head, mask_key
from study.record.metrics import MetricName


@pytest.fixture(params=[MetricName.ACCURACY, MetricName.BLEU])
def domain(request, make) -> Domain:
    return read_domain(make(request.param, count=12).folder)


def test_counts_are_those_of_a_loop_over_examples(domain):
    counts = {row[:3]: row[3:] for row in change_counts(changes(domain)).iter_rows()}
    rows = {(row["mask"], row["example"]): row for row in domain.rows.iter_rows(named=True)}
    full = domain.layout.full_key
    for head in domain.layout.heads:
        without = mask_key(domain.layout.without([head]))
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


def test_the_page_has_the_texts_once_and_the_counts_of_all(domain):
    found = json.loads(examples_json({"here": domain}, {domain.setting_id: changes(domain)}))
    (part,) = found["domains"]
    known = {tuple(row) for row in domain.examples.select("text_1", "target").iter_rows()}
    assert {tuple(text) for text in part["texts"]} <= known
    assert len(set(map(tuple, part["texts"]))) == len(part["texts"])
    head = domain.layout.heads[0]
    for address, (lost, gained, other, shown) in part["heads"].items():
        own = changes(domain).filter(kind=Head.parse(address).kind.value, layer=Head.parse(address).layer)
        own = own.filter(pl.col("head") == Head.parse(address).index)
        assert lost + gained + other == own.height
        assert len(shown) == min(own.height, found["shown"])
        first = own.row(0, named=True)
        assert shown[0][1] == pytest.approx(first["before"], abs=0.006)
        if first["was"] is not None:
            assert part["answers"][shown[0][3]] == first["was"]
    assert str(head) in part["heads"] or domain.metric.name is MetricName.ACCURACY


def test_markup_in_a_text_cannot_leave_its_element(make, monkeypatch):
    domain = read_domain(make(count=12).folder)
    nasty = pl.lit("</script><script>alert(1)</script>")
    domain = replace(domain, examples=domain.examples.with_columns(text_1=nasty))
    content = examples_json({"a": domain}, {domain.setting_id: changes(domain)})
    assert "<" not in content
    assert json.loads(content)["domains"][0]["texts"][0][0] == "</script><script>alert(1)</script>"


def test_as_many_examples_as_fit(domain, monkeypatch):
    content = examples_json({"a": domain}, {domain.setting_id: changes(domain)})
    monkeypatch.setattr(page_examples, "MOST_BYTES", len(content.encode()) - 1)
    monkeypatch.setattr(page_examples, "SHOWN", (20, 0))
    whole = json.loads(content)
    fewer = json.loads(examples_json({"a": domain}, {domain.setting_id: changes(domain)}))
    assert (whole["shown"], fewer["shown"]) == (20, 0)
    assert all(head[3] for head in whole["domains"][0]["heads"].values())
    assert {address: [*head[:3], []] for address, head in whole["domains"][0]["heads"].items()} == (
        fewer["domains"][0]["heads"]
    )
