"""Kinds of rows: names of their files, what they must hold, and when two rows of attention agree."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from analysis.results.read import read_results
from study.record.loss import Loss
from study.record.parts import StoreError, require_whole
from study.record.store import read_parts
from study.record.tables import (
    GRADIENTS,
    OUTCOMES,
    AttendedWords,
    Attention,
    Divergence,
    Gradients,
    Special,
    Table,
    as_matrix,
    stored_tables,
    table_of,
)
from study.record.tables.statistics import COUNTS, STATISTICS
from tests.fixtures.attention.planted import LAYOUT, PLANTED, SHARE, fill_attention
from tests.fixtures.results import fill

EVERY: dict[Table, str] = {
    OUTCOMES: "part",
    GRADIENTS: "gradients",
    Gradients(Loss(0.1)): "gradients_label_smoothed_0.1",
    Attention(): "attention",
    Attention(Special.left_out): "attention_left_out",
    Divergence(Special.keys_left_out): "divergence_keys_left_out",
    AttendedWords(): "attended_words",
}


@pytest.mark.parametrize("table", EVERY, ids=lambda table: table.name)
def test_a_table_is_told_by_the_names_of_its_files(table: Table) -> None:
    assert table.name == EVERY[table]
    assert table_of(Path(f"{table.name}-20261130T101010.000000-0123456789abcdef.parquet")) == table


@pytest.mark.parametrize("name", ["attention_other", "attention_", "attention_kept", "attended_words_x", "part_x", "x"])
def test_other_names_are_those_of_no_table(name: str) -> None:
    assert table_of(Path(f"{name}-20261130T101010.000000-0123456789abcdef.parquet")) is None


def test_every_statistic_is_divided_by_a_count_that_is_stored() -> None:
    assert {statistic.count for statistic in STATISTICS} <= set(COUNTS)
    assert {statistic.possible for statistic in STATISTICS} - {""} <= set(COUNTS)
    assert len({statistic.name for statistic in STATISTICS}) == len(STATISTICS)


def test_attention_is_read_as_it_was_written(tmp_path: Path) -> None:
    planted = fill_attention(tmp_path, count=12)
    folder = planted.store.folder
    assert stored_tables(folder) == [AttendedWords(), Attention(), Divergence()]
    require_whole(folder, folder.name, ())
    rows = read_parts(folder, Attention(), layout=LAYOUT).rows
    sums, queries = rows["previous"].to_numpy().sum(axis=0), rows["queries"].to_numpy().sum(axis=0)
    tokens = np.array([len(texts[0].split()) + 2 for texts in planted.examples.texts])
    looks = (SHARE * (tokens - 1) + (1 - SHARE) * (tokens - 1) / tokens).sum()  # the first token has none before it
    assert sums[0] == sums[6] == pytest.approx(looks)
    assert queries.tolist() == [tokens.sum()] * len(LAYOUT)
    assert rows["offsets"].to_numpy().shape == (12, len(LAYOUT), 11)
    entropy = rows["entropy"].to_numpy()[:, PLANTED.index("uniform")]
    np.testing.assert_allclose(entropy, tokens * np.log(tokens))
    apart = as_matrix(read_parts(folder, Divergence()).rows["divergence"].to_numpy(), len(LAYOUT))
    np.testing.assert_allclose(apart[:, 0, 6], 0, atol=1e-12)
    assert (apart[:, 0, 1] / tokens).max() < np.log(2)
    assert (apart == apart.transpose(0, 2, 1)).all()


def test_what_is_only_read_is_no_domain(tmp_path: Path) -> None:
    fill_attention(tmp_path)
    assert read_results(tmp_path).domains == ()
    fill(tmp_path, "accuracy", model="bert", data="scored")
    found = read_results(tmp_path)
    assert [domain.data for domain in found.domains] == ["scored"]
    assert found.left_out == ()


def again(folder: Path, table: Table) -> pl.DataFrame:
    return read_parts(folder, table).rows


@pytest.mark.parametrize("table", [Attention(), Divergence(), AttendedWords()], ids=lambda table: table.name)
def test_equal_rows_agree(table: Table, tmp_path: Path) -> None:
    store = fill_attention(tmp_path, count=3).store
    store.write(again(store.folder, table), {}, table)
    found = read_parts(store.folder, table)
    assert (found.rows.height, found.close_calls) == (3, 0)


def test_another_place_of_the_largest_weight_is_a_close_call_and_many_are_none(tmp_path: Path) -> None:
    store = fill_attention(tmp_path, count=3).store
    rows = again(store.folder, Attention())
    offsets = rows["offsets"].to_numpy().copy()
    offsets[0, 0, 3] += 1
    offsets[0, 0, 4] -= 1
    store.write(rows.with_columns(offsets=pl.Series(offsets)), {}, Attention())
    assert read_parts(store.folder, Attention()).close_calls == 1
    store.write(rows.with_columns(offsets=pl.Series(offsets[:, ::-1].copy())), {}, Attention())
    with pytest.raises(StoreError, match="disagree"):
        again(store.folder, Attention())


def test_other_words_are_close_calls_while_they_are_few(tmp_path: Path) -> None:
    store = fill_attention(tmp_path, count=3).store
    rows = again(store.folder, AttendedWords())
    first = [[*values[:-1], values[-1] ^ 1] for values in rows["row"].to_list()]
    typed = pl.Series("row", first, dtype=rows.schema["row"])
    store.write(rows.with_columns(typed), {}, AttendedWords())
    assert read_parts(store.folder, AttendedWords()).close_calls == 3
    store.write(rows.with_columns(row=pl.col("column"), column=pl.col("row")), {}, AttendedWords())
    with pytest.raises(StoreError, match="disagree"):
        again(store.folder, AttendedWords())


def test_sums_and_counts_that_differ_are_no_close_calls(tmp_path: Path) -> None:
    store = fill_attention(tmp_path, count=3).store
    rows = again(store.folder, Attention())
    store.write(rows.with_columns(entropy=pl.Series(rows["entropy"].to_numpy() * (1 + 5e-5))), {}, Attention())
    assert read_parts(store.folder, Attention()).close_calls == 0
    store.write(rows.with_columns(queries=pl.Series(rows["queries"].to_numpy() + 1)), {}, Attention())
    with pytest.raises(StoreError, match="disagree on 3 rows"):
        again(store.folder, Attention())


def test_sums_in_low_precision_agree_within_more(tmp_path: Path) -> None:
    store = fill_attention(tmp_path, count=3).store
    rows = again(store.folder, Attention())
    store.write(rows.with_columns(entropy=pl.Series(rows["entropy"].to_numpy() * 1.01)), {}, Attention())
    with pytest.raises(StoreError, match="disagree"):
        again(store.folder, Attention())
    assert read_parts(store.folder, Attention(), within=0.5).rows.height == 3
