"""Planted heads on both sides of every threshold; limits decide, values are told beside."""

from collections.abc import Callable

import numpy as np
import polars as pl
import pytest
from fixtures.attention.planted_rows import TOKENS, plant
from fixtures.results import CLASSIFIER, TRANSLATOR

from analysis.attention.statistics import Neighbours
from analysis.results.readings import Reading, read_readings
from analysis.roles.assignment import count_roles, decide, members, roles_table
from analysis.roles.rules import ROLES, Role, roles
from study.record.errors import InputError
from study.record.store import Store

STEP = 0.02
"""How far from its threshold a head is planted."""


def planted(role: Role, value: float) -> dict[str, float]:
    """Means that give the role's statistic this value."""
    means = {
        "relative_entropy": {"entropy": value * np.log(TOKENS)},
        # three heads of its layer have norm 1
        "relative_norm": {"output_norm": 3 * value / (4 - value)},
    }
    return means.get(role.statistic, {role.statistic: value})


def assigned(reading: Reading, every: tuple[Role, ...] = ROLES) -> pl.DataFrame:
    return roles_table(reading, every, Neighbours.all, "auto")


@pytest.mark.parametrize("role", ROLES, ids=lambda role: role.name)
def test_a_head_on_either_side_of_a_threshold(role: Role, make: Callable[..., Store]) -> None:
    store, sides = make(count=60), (1, -1) if role.above else (-1, 1)
    values = {at: role.threshold + STEP * side for at, side in zip((1, 5), sides, strict=True)}
    heads = {at: planted(role, value) for at, value in values.items()}
    offsets = {at: (-1, value) for at, value in values.items()} if role.statistic == "position" else None
    plant(store, heads, offsets=offsets, noise=1e-4, language=True)
    (reading,) = read_readings(store.folder)
    table = assigned(reading).filter(role=role.name)
    assert table.height == len(CLASSIFIER)
    has = members(table, CLASSIFIER)[role.name]
    assert np.flatnonzero(has).tolist() == [1]
    assert table["value"][1] == pytest.approx(values[1], abs=1e-3)
    assert table["rule"][0].endswith(f"{role.threshold:g}")


def test_a_threshold_that_need_only_be_reached(make: Callable[..., Store]) -> None:
    store = make(count=60)
    plant(store, {}, offsets={0: (1, 1.0), 1: (-1, 0.9)})
    (reading,) = read_readings(store.folder)
    table = assigned(reading).filter(role="positional")
    assert table["met"].to_list()[:3] == [True, True, False]
    assert table["decided"].to_list()[:3] == [True, False, False]  # .9 as measured may be less of new examples
    assert table["detail"].to_list()[:2] == ["offset +1", None]


def test_noise_keeps_a_head_from_a_role_that_its_value_meets(make: Callable[..., Store]) -> None:
    store = make(count=30)
    plant(store, {0: {"previous": 0.53}, 1: {"previous": 0.9}}, noise=0.5, seed=4)
    (reading,) = read_readings(store.folder)
    table = assigned(reading).filter(role="previous")
    assert table["met"].to_list()[:2] == [True, True]
    assert table["decided"].to_list()[:2] == [False, True]
    counts = count_roles(table)
    assert counts.select("heads", "met", "decided").row(0) == (16, 2, 1)


def test_a_limit_passes_the_true_value_in_five_cases_of_a_hundred(make: Callable[..., Store]) -> None:
    store = make(count=150)
    plant(store, {at: {"previous": 0.5} for at in range(16)}, noise=0.4, seed=5)
    (reading,) = read_readings(store.folder)
    rates = []
    for seed in range(40):
        rng = np.random.default_rng(seed)
        sums = reading.sums("example")
        kept = rng.choice(sums.groups, 80)  # 80 new examples of a population of 150
        rates.append(decide(sums.select(kept), CLASSIFIER, ROLES, Neighbours.all).filter(role="previous")["decided"])
    true = np.array(assigned(reading).filter(role="previous")["value"]) <= 0.5
    share = np.mean([rate.to_numpy()[true] for rate in rates])
    assert share < 0.08


def test_heads_across_two_texts_have_no_neighbours(make: Callable[..., Store]) -> None:
    store = make("bleu", count=9, masks={TRANSLATOR.full_key: TRANSLATOR.full()})
    plant(store, {at: {"previous": 0.8, "separator": 0.8} for at in range(len(TRANSLATOR))})
    (reading,) = read_readings(store.folder)
    table = assigned(reading)
    kinds = {role: set(own["kind"]) for (role,), own in table.group_by("role")}
    assert kinds["previous"] == {"encoder_self", "decoder_self"}
    assert kinds["separator"] == {"encoder_self", "decoder_self", "cross"}


def test_statistics_of_language_models_are_left_out_elsewhere(make: Callable[..., Store]) -> None:
    store = make(count=12)
    plant(store, {})
    (reading,) = read_readings(store.folder)
    assert "induction" not in set(assigned(reading)["role"])


def test_one_group_of_examples_decides_nothing(make: Callable[..., Store]) -> None:
    store = make(count=3)
    plant(store, {0: {"previous": 0.9}})
    (reading,) = read_readings(store.folder)
    table = assigned(reading).filter(role="previous")
    assert table["met"][0]
    assert table["decided"].null_count() == table.height


def test_thresholds_can_be_chosen() -> None:
    chosen = {role.name: role for role in roles({"positional": 0.8})}
    assert chosen["positional"].threshold == 0.8
    assert chosen["positional"].source.startswith("chosen by hand")
    assert chosen["previous"].threshold == 0.5
    with pytest.raises(InputError, match="did you mean 'positional'"):
        roles({"positonal": 0.8})
