"""Statistics of heads against plain numpy: ratios of sums, their jackknife, and exact limits of shares."""

from collections.abc import Callable

import numpy as np
import polars as pl
import pytest
from fixtures.attention.planted_rows import TOKENS, plant
from fixtures.results import CLASSIFIER
from scipy import stats

from analysis.attention.statistics import Neighbours, Ratios, head_statistics, offsets_table, statistics_table
from analysis.results.readings import HeadSums, Reading, read_readings
from study.record.store import Store
from study.record.tables import Special

NAMED = {statistic.name: statistic for statistic in head_statistics()}
HEADS = len(CLASSIFIER)


@pytest.fixture
def reading(make: Callable[..., Store]) -> Reading:
    store = make(count=60)
    plant(store, {0: {"previous": 0.6}, 3: {"entropy": 2.0}}, offsets={0: (-1, 0.95)}, noise=0.3)
    (found,) = read_readings(store.folder)
    return found


def test_ratios_and_their_errors_are_those_of_plain_numpy(reading: Reading) -> None:
    rows = reading.rows.sort("example")
    group = reading.examples.sort("example")["group"].to_numpy()
    for name in ("previous", "entropy", "relative_entropy", "norm_separator", "distance"):
        statistic = NAMED[name]
        over, by = (rows[column].to_numpy().astype(float) for column in (statistic.over, statistic.by))
        left = np.array([over[group != one].sum(0) / by[group != one].sum(0) for one in np.unique(group)])
        ratios = Ratios.of(statistic, reading.sums(), reading.layout)
        assert ratios is not None
        np.testing.assert_allclose(ratios.values, over.sum(0) / by.sum(0))
        np.testing.assert_allclose(np.sort(ratios.without, axis=0), np.sort(left, axis=0))
        error = np.sqrt((len(left) - 1) ** 2 / len(left) * left.var(axis=0, ddof=1))
        np.testing.assert_allclose(ratios.error, error, rtol=1e-6)
        low, high = ratios.limits(0.1)
        half = stats.t.ppf(0.95, len(left) - 1) * error
        np.testing.assert_allclose(high - low, 2 * half, rtol=1e-6)


def test_norms_are_of_the_mean_of_their_layer(reading: Reading) -> None:
    ratios = Ratios.of(NAMED["relative_norm"], reading.sums(), reading.layout)
    assert ratios is not None
    norm = reading.rows["output_norm"].to_numpy().sum(axis=0).reshape(4, 4)
    np.testing.assert_allclose(ratios.values.reshape(4, 4), norm / norm.mean(axis=1, keepdims=True))


def test_neighbours_are_of_all_tokens_as_published_or_of_those_that_have_one(reading: Reading) -> None:
    shares = [
        statistics_table(reading, which, 0.05, "auto").filter(statistic="previous")["value"][0] for which in Neighbours
    ]
    assert shares[1] == pytest.approx(shares[0] * TOKENS / (TOKENS - 1))


def test_a_table_has_every_statistic_of_every_head_with_its_interval(reading: Reading) -> None:
    table = statistics_table(reading, Neighbours.all, 0.05, "auto")
    assert table.height == HEADS * table["statistic"].n_unique()
    assert {"previous", "relative_norm", "position"} <= set(table["statistic"])
    assert (table["low"] <= table["value"]).all()
    assert (table["high"] >= table["value"]).all()
    assert table["groups"].unique().to_list() == [20]
    assert table["queries"].unique().to_list() == [60 * TOKENS]


def test_offsets_add_up_to_all_tokens(reading: Reading) -> None:
    table = offsets_table(reading, 0.05, "auto")
    assert table.group_by("layer", "head").agg(pl.col("share").sum())["share"].to_list() == pytest.approx([1] * HEADS)
    first = table.filter(layer=0, head=0)
    assert first.filter(offset=-1)["share"][0] == pytest.approx(0.95)
    assert first.filter(first["offset"].is_null())["share"][0] == pytest.approx(0.05)


def test_limits_of_few_misses_are_exact_binomial_ones() -> None:
    hits = np.full((50, 1), 10.0)
    hits[3] = 9
    sums = HeadSums({"retrieval": hits, "retrieval_queries": np.full((50, 1), 10.0)}, np.ones(50, int), "example")
    layout = type(CLASSIFIER)({next(iter(CLASSIFIER.counts)): (1,)})
    ratios = Ratios.of(NAMED["retrieval"], sums, layout)
    assert ratios is not None
    low, high = ratios.limits(0.1)
    exact = stats.binomtest(499, 500).proportion_ci(0.9, method="exact")
    assert (low[0], high[0]) == pytest.approx((exact.low, exact.high), abs=1e-4)


def test_each_choice_about_special_tokens_is_a_reading_of_its_own(make: Callable[..., Store]) -> None:
    store = make(count=12)
    plant(store, {})
    plant(store, {0: {"previous": 0.3}}, special=Special.left_out)
    readings = read_readings(store.folder)
    assert [reading.special for reading in readings] == ["kept", "left_out"]
    assert "left out" in readings[1].label


def test_only_masks_and_examples_that_are_complete_are_read(make: Callable[..., Store]) -> None:
    store = make(count=30)
    mask = CLASSIFIER.key(CLASSIFIER.each_off()[0])
    plant(store, {}, masks={mask: {1: {"previous": 0.8}}})
    (reading,) = read_readings(store.folder, limit=9)
    assert reading.examples.height == 9
    assert reading.masks == (CLASSIFIER.full_key, mask)
    previous = Ratios.of(NAMED["previous"], reading.sums(mask=mask), reading.layout)
    assert previous is not None
    assert previous.values[1] == pytest.approx(0.8)
