"""Packed parts beside others: one reader for both, what is damaged, and sums against the rows themselves."""

from dataclasses import replace
from itertools import product
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from study.record.errors import InputError
from study.record.examples import Examples
from study.record.packed import packed_rows
from study.record.parts import StoreError
from study.record.reading.mask_sums import read_sums
from study.record.setting import Setting
from study.record.store import Store, read_parts
from study.record.units import AttentionKind, HeadLayout

LAYOUT = HeadLayout({AttentionKind.ENCODER_SELF: (2, 2)})
SETTING = Setting(
    "m", "d", "accuracy", {"labels": ["no", "yes"]}, {"digest": "0", "count": 7}, "accuracy|percent"
)  # fmt: skip

IDS = tuple(f"e{number}" for number in range(7))
EXAMPLES = Examples(IDS, tuple((name,) for name in IDS), ("yes",) * 7)
KEYS = ["".join(row) for row in product("01", repeat=4)]


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
    monkeypatch.setattr("study.record.store.MANY", 4)
    return Store(tmp_path, SETTING, LAYOUT, EXAMPLES)


def rows(keys: list[str], examples: tuple[str, ...] = IDS, *, seed: int = 0, margin: float = 0.5) -> pl.DataFrame:
    every = [(key, name) for key in keys for name in examples]
    right = [int(np.random.default_rng([seed, int(key, 2), int(name[1:])]).random() < 0.5) for key, name in every]
    mask, example = zip(*every, strict=True)
    return pl.DataFrame(
        {"mask": mask, "example": example, "correct": right, "count": 1, "margin": margin, "loss": 0.25},
        schema_overrides={"correct": pl.Int64, "count": pl.Int64, "margin": pl.Float32, "loss": pl.Float32},
    )


def test_one_reader_gives_the_rows_of_both_forms(store: Store) -> None:
    plain = store.write(rows(KEYS[:3]), {}, together=KEYS[:3])
    packed = store.write(rows(KEYS[3:], IDS[:4]), {}, together=KEYS[3:])
    store.write(rows(KEYS[3:9], IDS[4:]), {}, together=KEYS[3:])
    assert pl.read_parquet(plain)["mask"].dtype == pl.String
    assert [pl.read_parquet_schema(packed)[name] for name in ("mask", "example")] == [pl.UInt32, pl.UInt32]
    assert len(list(store.folder.glob("masks-*"))) == 1, "one table for all parts of a job"
    expected = pl.concat([rows(KEYS[:3]), rows(KEYS[3:], IDS[:4]), rows(KEYS[3:9], IDS[4:])])
    assert store.read().rows.sort("mask", "example").equals(expected.sort("mask", "example"))


def test_masks_with_silent_mlps_keep_their_names(store: Store) -> None:
    keys = ["0110", "11110", "01101", "1111", "10000"]
    table = packed_rows.write_masks(keys, store.folder)
    assert packed_rows.read_masks(store.folder / table).to_list() == keys


@pytest.mark.parametrize("damage", [Path.unlink, lambda path: path.write_bytes(path.read_bytes()[:60])])
def test_parts_without_their_masks_are_named_and_written_anew(store: Store, tmp_path: Path, damage) -> None:
    part = store.write(rows(KEYS), {}, together=KEYS)
    (table,) = store.folder.glob("masks-*")
    damage(table)
    with pytest.raises(StoreError, match=rf"1 file cannot be used\.\n  {part.name}: its table of masks, {table.name}"):
        Store(tmp_path, SETTING, LAYOUT, EXAMPLES)
    part.unlink()
    again = Store(tmp_path, SETTING, LAYOUT, EXAMPLES)
    again.write(rows(KEYS), {}, together=KEYS)
    assert again.read().rows.height == len(KEYS) * len(IDS)


def test_another_table_under_the_name_of_one_is_seen(store: Store, tmp_path: Path) -> None:
    store.write(rows(KEYS), {}, together=KEYS)
    (table,) = store.folder.glob("masks-*")
    other = packed_rows.write_masks(KEYS[::-1], store.folder)
    (store.folder / other).rename(table)
    with pytest.raises(StoreError, match="is not what its name says"):
        Store(tmp_path, SETTING, LAYOUT, EXAMPLES)


def test_sums_are_those_of_the_rows(store: Store) -> None:
    store.write(rows(KEYS[:3]), {}, together=KEYS[:3])
    for some in (IDS[:2], IDS[2:6], IDS[3:6]):
        store.write(rows(KEYS[2:], some), {}, together=KEYS[2:])
    metric, groups = SETTING.scoring, np.array([0, 1, 0, 2, 2, 1, 0])
    found = read_sums(store.folder, metric, groups=groups)
    every = store.read().rows
    assert set(found.masks) == set(KEYS)
    place = dict(zip(IDS, groups.tolist(), strict=True))
    for number, mask in enumerate(found.masks):
        own = every.filter(mask=mask)
        assert found.counts[number] == own.height
        for group in range(3):
            right = own.filter(pl.col("example").replace_strict(place) == group)
            assert found.sums[number, group].tolist() == [right["correct"].sum(), right["count"].sum()]
    assert found.close_calls == 0


def test_sums_of_some_examples_are_theirs_alone(store: Store) -> None:
    store.write(rows(KEYS), {}, together=KEYS)
    some = EXAMPLES.take([1, 4]).to_frame()
    found = read_sums(store.folder, SETTING.scoring, some)
    expected = rows(KEYS, ("e1", "e4")).group_by("mask").agg(pl.col("correct").sum())
    assert dict(zip(found.masks, found.sums[:, 0, 0].tolist(), strict=True)) == dict(expected.iter_rows())
    assert set(found.counts) == {2}


def test_rows_that_stand_twice_count_once_and_must_agree(store: Store) -> None:
    store.write(rows(KEYS[:8], margin=5e-5), {}, together=KEYS)
    store.write(rows(KEYS[8:]), {}, together=KEYS)
    store.write(rows(KEYS[:2], seed=1, margin=5e-5), {}, together=KEYS[:2])
    found = read_sums(store.folder, SETTING.scoring)
    whole = store.read()
    assert found.close_calls == whole.close_calls > 0
    right = dict(whole.rows.group_by("mask").agg(pl.col("correct").sum()).iter_rows())
    assert dict(zip(found.masks, found.sums[:, 0, 0].tolist(), strict=True)) == right
    store.write(rows(KEYS[8:10], seed=2), {}, together=KEYS)
    with pytest.raises(StoreError, match="disagree on"):
        read_sums(store.folder, SETTING.scoring)


def test_weights_are_not_summed_while_reading(tmp_path: Path) -> None:
    weighted = replace(EXAMPLES, weights=(1.0,) * 6 + (2.0,))
    store = Store(tmp_path, SETTING, LAYOUT, weighted)
    store.write(rows(KEYS), {})
    assert read_parts(store.folder).rows.height == len(KEYS) * len(IDS)
    with pytest.raises(InputError, match="cannot be summed while reading"):
        read_sums(store.folder, SETTING.scoring)


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:60])


def changed(path: Path) -> None:
    other = pl.read_parquet(path).with_columns(correct=1 - pl.col("correct"))
    other.write_parquet(path, metadata=pl.read_parquet_metadata(path))


@pytest.mark.parametrize(("files", "damage"), [("part-*", cut), ("part-*", changed), ("masks-*", Path.unlink)])
def test_damaged_parts_are_not_summed(store: Store, files: str, damage) -> None:
    part = store.write(rows(KEYS), {}, together=KEYS)
    (path,) = store.folder.glob(files)
    damage(path)
    with pytest.raises(StoreError, match=rf"1 file cannot be used\.\n  {part.name}: it"):
        read_sums(store.folder, SETTING.scoring)


def test_masks_of_another_model_are_not_summed(store: Store) -> None:
    store.write(rows(KEYS[:3]), {})
    other = store.write(rows(["101"]), {})
    with pytest.raises(StoreError, match=f"{other.name}: it has masks of a model that has not 4 heads"):
        read_sums(store.folder, SETTING.scoring)
