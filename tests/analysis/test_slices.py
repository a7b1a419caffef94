from dataclasses import replace

import polars as pl
import pytest

from analysis.effects import base_score
from analysis.read import read_domain
from analysis.slices import sliced, slices
from study.errors import InputError


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
    assert fiction.rows.height == 20 * whole.masks
    right = 20 * base_score(fiction) + 10 * base_score(travel)
    assert right == pytest.approx(30 * base_score(whole))


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
