"""A ledger and running sums against the plain reader, as parts of both forms come and go."""

from itertools import product
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from study.record.examples import Examples
from study.record.parts import StoreError
from study.record.reading.ledger import Ledger
from study.record.reading.mask_sums import RunningSums
from study.record.setting import Setting
from study.record.store import Store, read_parts
from study.record.units import AttentionKind, HeadLayout

LAYOUT = HeadLayout({AttentionKind.ENCODER_SELF: (2, 2)})
SETTING = Setting("m", "d", "accuracy", {"labels": ["no", "yes"]}, {"digest": "0", "count": 9}, "accuracy|percent")
IDS = tuple(f"e{number}" for number in range(9))
EXAMPLES = Examples(IDS, tuple((name,) for name in IDS), ("yes",) * 9)
KEYS = ["".join(row) for row in product("01", repeat=4)]


def rows(keys: list[str], examples: tuple[str, ...], right: int | None = None) -> pl.DataFrame:
    every = list(product(keys, examples))
    mask, example = zip(*every, strict=True)
    correct = [(int(key, 2) * 7 + int(name[1:])) % 3 % 2 if right is None else right for key, name in every]
    return pl.DataFrame(
        {"mask": mask, "example": example, "correct": correct, "count": 1, "margin": 0.5, "loss": 0.25},
        schema_overrides={"correct": pl.Int64, "count": pl.Int64, "margin": pl.Float32, "loss": pl.Float32},
    )


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
    monkeypatch.setattr("study.record.store.MANY", 4)
    return Store(tmp_path, SETTING, LAYOUT, EXAMPLES)


def agree(store: Store, ledger: Ledger, sums: RunningSums, groups: np.ndarray) -> None:
    """Both say what the rows of all parts say, which are read at once."""
    for one in (ledger, sums):
        one.update()
    every = read_parts(store.folder).rows
    there = set(every.select("mask", "example").iter_rows())
    asked = (IDS[5], IDS[0], IDS[8])
    expected = {key: [(key, name) not in there for name in asked] for key in KEYS}
    found = {key: lacks.tolist() for key, lacks in ledger.lacking(KEYS, asked)}
    assert found == {key: lacks for key, lacks in expected.items() if any(lacks)}
    place = dict(zip(IDS, groups.tolist(), strict=True))
    for key in KEYS:
        own = every.filter(mask=key).with_columns(group=pl.col("example").replace_strict(place, return_dtype=pl.Int64))
        at = sums.number.get(key)
        assert own.height == (0 if at is None else sums.counts()[at])
        if at is not None:
            of_groups = [own.filter(group=group) for group in range(3)]
            assert sums.known()[at].tolist() == [[one["correct"].sum(), one["count"].sum()] for one in of_groups]


def test_both_grow_with_the_parts_and_forget_those_that_are_gone(store: Store) -> None:
    groups, ids = np.array([0, 1, 0, 2, 2, 1, 0, 1, 2]), pl.Series(IDS)
    ledger = Ledger(store.folder, IDS, LAYOUT, ids)
    sums = RunningSums(store.folder, SETTING.scoring, EXAMPLES.to_frame(), LAYOUT, ids, groups)
    assert dict(ledger.lacking(KEYS[:1], IDS[:2])).keys() == {KEYS[0]}
    store.write(rows(KEYS[:3], IDS), {}, together=KEYS[:3])
    agree(store, ledger, sums, groups)
    packed = store.write(rows(KEYS[2:], IDS[:4]), {}, together=KEYS[2:])
    agree(store, ledger, sums, groups)
    assert not ledger.update(), "nothing has come"
    store.write(rows(KEYS[5:9], IDS[3:7]), {}, together=KEYS)
    agree(store, ledger, sums, groups)
    packed.unlink()
    agree(store, ledger, sums, groups)
    some = pl.col("mask").is_in([KEYS[1], KEYS[6]])
    found, every = read_parts(store.folder, wanted=some).rows, read_parts(store.folder).rows
    assert found.height
    assert found.sort("mask", "example").equals(every.filter(some).sort("mask", "example"))


def test_rows_that_contradict_those_before_are_refused(store: Store) -> None:
    store.write(rows(KEYS[:2], IDS, right=1), {})
    ledger = Ledger(store.folder, IDS, LAYOUT, pl.Series(IDS))
    ledger.update()
    store.write(rows(KEYS[1:3], IDS[:2], right=0), {})
    with pytest.raises(StoreError, match="disagree on 2 rows"):
        ledger.update()


def test_sums_are_as_wide_as_they_must_be(store: Store) -> None:
    ids = pl.Series(IDS)
    sums = RunningSums(store.folder, SETTING.scoring, EXAMPLES.to_frame(), LAYOUT, ids)
    store.write(rows(KEYS[:2], IDS, right=1), {})
    sums.update()
    assert sums.known().dtype == np.int16
    store.write(rows(KEYS[2:3], IDS, right=2**33), {})
    sums.update()
    assert sums.known().dtype == np.int64
    assert sums.known()[:, 0, 0].tolist() == [9, 9, 9 * 2**33]
