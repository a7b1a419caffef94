"""What the page knows of a head: the examples that changed, and what their answers became."""

import json
from types import SimpleNamespace

import polars as pl
import pytest

from analysis.effects.changes import changes
from analysis.page.citations import as_json
from analysis.page.environment import page_environment
from analysis.page.sections import head_details
from analysis.page.sections.head_details import changed_examples, flips_of
from analysis.results.domain import Domain
from analysis.results.read import read_domain
from study.record.units import level_of, parse_unit


@pytest.fixture(params=["accuracy", "bleu"])
def domain(request, make) -> Domain:
    return read_domain(make(request.param, count=12).folder)


def test_the_page_has_the_texts_once_and_the_counts_of_all(domain):
    part = changed_examples({"here": domain}, {domain.setting_id: changes(domain)})["here"]
    known = {tuple(row) for row in domain.examples.select("text_1", "target").iter_rows()}
    assert {tuple(text) for text in part["texts"]} <= known
    assert len(set(map(tuple, part["texts"]))) == len(part["texts"])
    for address, (lost, gained, other, shown) in part["heads"].items():
        unit = parse_unit(address)
        own = changes(domain).filter(pl.col("level") == level_of(unit), pl.col("layer") == unit.layer)
        own = own.filter(pl.col("kind") == unit.row["kind"], pl.col("head").eq_missing(unit.row["head"]))
        assert lost + gained + other == own.height
        assert len(shown) == min(own.height, 20)
        first = own.row(0, named=True)
        assert shown[0][1] == pytest.approx(first["before"], abs=0.006)
        if first["was"] is not None:
            assert part["answers"][shown[0][3]] == first["was"]
    assert str(domain.layout.heads[0]) in part["heads"] or domain.metric.name == "accuracy"


def test_markup_in_a_text_cannot_leave_its_element():
    nasty = "</script><script>alert(1)</script>"
    assert "<" not in as_json([nasty])
    assert json.loads(as_json([nasty])) == [nasty]


def test_data_of_a_figure_ends_where_its_element_does():
    panel = page_environment(0.95).get_template("macros.html.j2").module.panel
    nasty = SimpleNamespace(name="a", svg="<svg></svg>", csv="domain\n<!-- <script> </script> -->\n")
    written = panel(nasty).partition('<script type="text/csv">')[2]
    assert "<!--" not in written, "within a comment a script element would not end at its end tag"
    assert written.count("</") == 2


def test_as_many_examples_as_fit(domain, monkeypatch):
    of = {"a": domain}, {domain.setting_id: changes(domain)}
    whole = changed_examples(*of)["a"]
    monkeypatch.setattr(head_details, "MOST_BYTES", len(json.dumps(whole)) // 2)
    monkeypatch.setattr(head_details, "SHOWN", (20, 0))
    fewer = changed_examples(*of)["a"]
    assert all(head[3] for head in whole["heads"].values())
    assert {address: [*head[:3], []] for address, head in whole["heads"].items()} == fewer["heads"]


def test_answers_that_changed_are_counted_by_what_they_became(make):
    domain = read_domain(make(count=60, labels=("yes", "no", "perhaps")).folder)
    found = flips_of(changes(domain), domain.labels)
    given = {(row["mask"], row["example"]): row["prediction"] for row in domain.rows.iter_rows(named=True)}
    for head in domain.layout.heads:
        without = domain.layout.key(domain.layout.without([head]))
        both = [(given[domain.layout.full_key, each], given[without, each]) for each in domain.examples["example"]]
        counts = {(was, now, both.count((was, now))) for was, now in both if was != now}
        assert set(map(tuple, found["flips"].get(str(head), []))) == counts
    assert flips_of(changes(domain), ()) == {"labels": (), "flips": {}}


def test_a_translation_has_no_answers_to_count(make):
    domain = read_domain(make("bleu", count=12).folder)
    assert flips_of(changes(domain), domain.labels)["flips"] == {}
