"""Places on the axes: what is merged, what is derived of earlier folders, and that writers lose nothing."""

import json
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import permutations
from pathlib import Path
from typing import Any

import pytest
from test_setting import LAYOUT, SETTING

from study.record.factors import Factors, merge
from study.record.setting import read_setting, write_setting

TRAINED = Factors("m", "d", "float32", seed=1)
LAST = Factors("m", "d", "float32", seed=1, epoch=3.0)
OTHER = Factors("m", "d", "float32", seed=2)


@pytest.mark.parametrize("places", list(permutations([TRAINED, LAST, OTHER])))
def test_a_place_that_another_includes_is_no_place_of_its_own(places: Sequence[Factors]) -> None:
    assert merge(places) == (LAST, OTHER)


def test_jobs_add_their_places_and_the_id_stays(tmp_path: Path) -> None:
    for place in (TRAINED, OTHER, LAST):
        write_setting(replace(SETTING, factors=(place,)).with_layout(LAYOUT), tmp_path)
    found = read_setting(tmp_path)
    assert found.factors == (LAST, OTHER)
    assert (found.id, found.layout) == (SETTING.id, LAYOUT)
    assert found.checkpoint is None
    assert replace(found, model="m-seed1-epoch3").checkpoint == LAST
    assert [path.name for path in tmp_path.iterdir()] == ["setting.json"]


def before_factors(name: str, **more: Any) -> dict[str, Any]:
    content = replace(SETTING, model=name).with_layout(LAYOUT).to_json() | more
    return {key: value for key, value in content.items() if key != "factors"}


@pytest.mark.parametrize(
    ("stored", "place"),
    [
        (before_factors("m"), Factors("m", "d", "float32")),
        (before_factors("m-seed1-epoch0.5"), Factors("m", "d", "float32", 1, 0.5)),
        (before_factors("m-epoch3"), Factors("m-epoch3", "d", "float32")),
        (
            before_factors("x", moment={"training": "m", "epoch": 2.0, "seed": None}),
            Factors("m", "d", "float32", None, 2.0),
        ),
    ],
)
def test_folders_of_before_have_the_place_that_they_tell(
    tmp_path: Path, stored: dict[str, Any], place: Factors
) -> None:
    (tmp_path / "setting.json").write_text(json.dumps(stored))
    assert read_setting(tmp_path).factors == (place,)


def test_factors_of_later_versions_are_passed_over() -> None:
    assert Factors.from_json({**LAST.to_json(), "moon": "full"}) == LAST


def test_a_place_that_says_nothing_of_the_replacement_is_at_zero() -> None:
    mean = replace(LAST, replacement="mean")
    assert "replacement" not in LAST.to_json()
    assert (LAST.at("replacement"), mean.at("replacement")) == ("zero", "mean")
    assert Factors.from_json(mean.to_json()) == mean
    assert set(merge([TRAINED, mean])) == {TRAINED, mean}, "a place of zero is no part of what is known of a mean"


@pytest.mark.parametrize(("task", "value"), [(None, "d"), ("nli", "nli")])
def test_a_data_set_is_its_own_task_where_none_is_named(task: str | None, value: str) -> None:
    assert replace(LAST, task=task).at("task") == value


def test_writers_at_the_same_time_lose_no_place(tmp_path: Path) -> None:
    seeds = range(16)

    def write(seed: int) -> None:
        write_setting(replace(SETTING, factors=(replace(LAST, seed=seed),)).with_layout(LAYOUT), tmp_path)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(write, seeds))
    assert sorted(place.seed or 0 for place in read_setting(tmp_path).factors) == list(seeds)
    assert [path.name for path in tmp_path.iterdir()] == ["setting.json"]
