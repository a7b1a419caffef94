"""What an analysis of several questions reads and sums once: the outcomes of each domain."""

from collections import Counter
from dataclasses import replace

import polars as pl
import pytest
from fixtures.results import domain_of

from analysis import Inference, analyse, read_results, write_report
from analysis.results import read
from analysis.results.domain import Domain


@pytest.fixture
def summed(monkeypatch) -> Counter:
    """How often the outcomes of each domain were summed."""
    made, summing = Counter(), Domain._sample

    def counted(domain: Domain, *how):
        made[domain.setting_id] += 1
        return summing(domain, *how)

    monkeypatch.setattr(Domain, "_sample", counted)
    return made


@pytest.mark.parametrize("name", ["accuracy", "bleu"])
def test_each_domain_is_read_and_summed_once_for_all_tables_figures_and_the_page(
    make, results, tmp_path, monkeypatch, summed, name
) -> None:
    for seed, data in enumerate(("home", "away")):
        make(name, data=data, seed=seed, count=40)
    readings, reading = Counter(), read.read_parts

    def read_once(folder, *how, **more):
        readings[folder] += 1
        return reading(folder, *how, **more)

    monkeypatch.setattr(read, "read_parts", read_once)
    found = read_results(results)
    write_report(analyse(found, Inference(resamples=99), splits=2), tmp_path / "out")
    assert summed == {domain.setting_id: 1 for domain in found.domains}
    assert readings == {domain.folder: 1 for domain in found.domains}


@pytest.mark.parametrize("name", ["accuracy", "bleu"])
@pytest.mark.parametrize("groups", ["auto", "example"])
def test_parts_of_the_examples_are_as_a_domain_that_has_them_alone(make, name, groups) -> None:
    """Also where they cut groups: every second example, of groups of three."""
    domain = domain_of(make, name, count=30)
    some = domain.examples.filter(pl.int_range(pl.len()) % 2 == 0)
    rows = domain.rows.filter(pl.col("example").is_in(some["example"].implode()))
    alone, found = replace(domain, examples=some, rows=rows).sample(groups), domain.sample_on(some, groups)
    assert (found.names, found.unit, found.masks) == (alone.names, alone.unit, alone.masks)
    assert (found.sums == alone.sums).all()
    assert (found.sizes == alone.sizes).all()
    assert (found.without_each == alone.without_each).all()
