from dataclasses import replace
from itertools import combinations

import numpy as np
import polars as pl
import pytest

from analysis import CorrelationOptions, DomainEffects, correlate
from analysis.figures import agreement_maps
from analysis.results.read import read_domain
from analysis.results.slices import sliced, slices
from study.record.errors import InputError
from study.record.scores import mask_scores


def with_genres(domain, genres):
    return replace(domain, examples=domain.examples.with_columns(genre=pl.Series(genres)))


def test_slices_are_domains_of_their_own_examples(make):
    whole = read_domain(make(count=30).folder)
    domain = with_genres(whole, ["fiction", "travel", "fiction"] * 10)
    fiction, travel = slices(domain, "genre")
    assert (fiction.data, travel.data) == ("home/fiction", "home/travel")
    assert fiction.setting_id == f"{whole.setting_id}/fiction"
    assert fiction.subject_id == whole.subject_id
    assert (fiction.examples.height, travel.examples.height) == (20, 10)
    assert fiction.rows.height == 20 * len(whole.masks)
    right = 20 * fiction.sample().base_score + 10 * travel.sample().base_score
    assert right == pytest.approx(30 * whole.sample().base_score)


GENRES = {
    "matched": ("fiction", "government", "slate", "telephone", "travel"),
    "mismatched": ("facetoface", "letters", "nineeleven", "oup", "verbatim"),
}


def test_the_genres_of_two_test_sets_are_ten_domains_each_compared_with_each(make):
    """As those of MultiNLI: five are in the matched set, the other five in the mismatched one."""
    domains = [
        with_genres(read_domain(make(data=data, seed=seed, count=300).folder), [*genres] * 60)
        for seed, (data, genres) in enumerate(GENRES.items())
    ]
    parts = sliced(domains, "genre")
    names = [f"{data}/{genre}" for data, genres in GENRES.items() for genre in genres]
    assert [part.data for part in parts] == names
    found = correlate([DomainEffects.of(part) for part in parts], CorrelationOptions(splits=2, resamples=19)).overall
    assert found.height == 45
    pairs = {frozenset(pair) for pair in found.select("domain_a", "domain_b").iter_rows()}
    assert pairs == {frozenset(pair) for pair in combinations(names, 2)}
    masks = list(map(parts[0].layout.key, parts[0].layout.each_off()))
    scores = [dict(mask_scores(part.rows, part.metric).select("mask", "score").iter_rows()) for part in parts]
    by_hand = np.corrcoef([[own[mask] for mask in masks] for own in scores])
    for row in found.rows(named=True):
        a, b = names.index(row["domain_a"]), names.index(row["domain_b"])
        assert row["pearson"] == pytest.approx(by_hand[a, b], abs=1e-12)
    (drawing,) = agreement_maps(found, "agreement")
    assert all(name in drawing.file for name in names)


def test_one_value_is_the_domain_itself(make):
    whole = read_domain(make().folder)
    assert slices(whole, "genre") == [whole]
    single = with_genres(whole, ["snli"] * 30)
    assert slices(single, "genre") == [single]


def test_a_column_that_no_domain_has_is_an_error_that_names_the_others(make):
    whole = read_domain(make().folder)
    with pytest.raises(InputError, match=r"no examples have a column 'genre': there are example, group"):
        sliced([whole], "genre")
    with pytest.raises(InputError, match=r"home has 60 values of 'example': no more than 50"):
        sliced([read_domain(make(data="home", count=60, seed=3).folder)], "example")
    parted = with_genres(whole, ["a", "b"] * 15)
    assert len(sliced([whole, parted], "genre")) == 3
    assert len(sliced([replace(whole, subject_id="other"), parted], "genre")) == 2
