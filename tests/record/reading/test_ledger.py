"""A ledger and running sums against the plain reader, as parts of both forms come and go."""

from collections import Counter
from itertools import product
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from study.record.cascade import Stage, Thresholds
from study.record.errors import InputError
from study.record.examples import Examples
from study.record.metrics import Answers, Task
from study.record.metrics.loss import loss_metric
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


SURE = Thresholds({Stage.first_order: dict.fromkeys(KEYS, 0.1)})
UNSURE = Thresholds({Stage.first_order: dict.fromkeys(KEYS, 0.6)})


def drafted(keys: list[str], examples: tuple[str, ...], stage: Stage = Stage.first_order) -> pl.DataFrame:
    """Rows of a cascade, each with a margin of 0.5."""
    return rows(keys, examples).with_columns(stage=pl.lit(str(stage)), prediction=pl.col("correct"))


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


def test_both_take_the_rows_that_stand_as_parts_of_a_cascade_come_and_go(store: Store) -> None:
    groups, ids = np.array([0, 1, 0, 2, 2, 1, 0, 1, 2]), pl.Series(IDS)
    ledger = Ledger(store.folder, IDS, LAYOUT, ids)
    sums = RunningSums(store.folder, SETTING.scoring, EXAMPLES.to_frame(), LAYOUT, ids, groups)
    store.write(drafted(KEYS[:2], IDS), {}, thresholds=SURE)
    agree(store, ledger, sums, groups)
    assert sums.counts().sum() == 2 * len(IDS)
    store.write(drafted(KEYS[:1], IDS[:4]), {}, thresholds=UNSURE)
    agree(store, ledger, sums, groups)
    assert sums.counts().sum() == len(IDS), "drafts that stood have fallen"
    gone = store.write(drafted(KEYS[2:4], IDS[2:7], Stage.float32), {}, together=KEYS, thresholds=SURE)
    agree(store, ledger, sums, groups)
    gone.unlink()
    agree(store, ledger, sums, groups)
    assert sums.counts().sum() == len(IDS), "those that fell have not come back"
    store.write(drafted(KEYS[:1], IDS[:3], Stage.float32), {}, thresholds=SURE)
    agree(store, ledger, sums, groups)
    store.write(rows(KEYS[4:5], IDS), {})
    refused(store, ledger, "columns are not those of|stage")


def refused(store: Store, ledger: Ledger, words: str) -> None:
    """The ledger refuses what the plain reader does, however often it is asked."""
    for read in (lambda: read_parts(store.folder), ledger.update, ledger.update):
        with pytest.raises(StoreError, match=words):
            read()


def test_rows_that_contradict_those_before_are_refused(store: Store) -> None:
    store.write(rows(KEYS[:2], IDS, right=1), {})
    ledger = Ledger(store.folder, IDS, LAYOUT, pl.Series(IDS))
    ledger.update()
    wrong = store.write(rows(KEYS[1:3], IDS[:2], right=0), {})
    refused(store, ledger, "disagree on 2 rows")
    wrong.unlink()
    store.write(rows(KEYS[1:3], IDS[:2], right=1), {})
    assert ledger.update()
    store.write(rows(KEYS[1:2], IDS[:2], right=0), {})
    refused(store, ledger, "disagree on 2 rows")


def test_nothing_is_left_of_what_was_taken_in_by_half(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    sums = RunningSums(store.folder, SETTING.scoring, EXAMPLES.to_frame(), LAYOUT, pl.Series(IDS))
    store.write(rows(KEYS[:1], IDS, right=1), {})
    sums.update()
    store.write(rows(KEYS[1:2], IDS, right=1), {})
    with monkeypatch.context() as patched:
        patched.setattr(RunningSums, "_widen", fail)
        with pytest.raises(InputError):
            sums.update()
    sums.update()
    assert sums.counts().tolist() == [9, 9]
    assert sums.known()[:, 0].tolist() == [[9, 9], [9, 9]]


def fail(*_: object) -> None:
    raise InputError("on the way")


def test_known_parts_are_compared_by_name_once(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    store.write(rows(KEYS[:1], IDS[:1]), {})
    ledger = Ledger(store.folder, IDS, LAYOUT, pl.Series(IDS))
    ledger.update()
    compared = Counter[Path]()
    own, many = Path.__hash__, [store.folder / f"outcomes-{number}.parquet" for number in range(200)]

    def hashed(path: Path) -> int:
        compared[str(path)] += 1
        return own(path)

    ledger._paths = many
    monkeypatch.setattr(Path, "__hash__", hashed)
    with pytest.raises(StoreError):
        ledger._take_in([*many, store.folder / "outcomes-200.parquet"])
    assert max(compared.values()) < 10


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


def test_a_mask_that_cannot_be_counted_is_refused_where_it_is_asked_for(store: Store) -> None:
    by, ids = loss_metric(Task.CLASSIFICATION)(Answers(labels=("no", "yes"))), pl.Series(IDS)
    is_bad = pl.col("mask").is_in([KEYS[2], KEYS[5]]) & (pl.col("example") == IDS[3])
    some = rows(KEYS[:7], IDS).with_columns(loss=pl.when(is_bad).then(float("nan")).otherwise(pl.col("loss")))
    part = store.write(some.with_columns(pl.col("loss").cast(pl.Float32)), {}, together=KEYS[:7])
    sums = RunningSums(store.folder, by, EXAMPLES.to_frame(), LAYOUT, ids)
    sums.update()
    good = [key for key in KEYS[:7] if key not in (KEYS[2], KEYS[5])]
    sums.require(good)
    found = by.score(sums.known()[[sums.number[key] for key in good], 0].astype(np.int64))
    assert found.tolist() == [-0.25] * len(good)
    for key in (KEYS[2], KEYS[5]):
        with pytest.raises(InputError, match=rf"mask {key} has outcomes without .*: {part.name}: 1 numbers are not"):
            sums.require([*good, key])
    with pytest.raises(InputError, match=f"mask {KEYS[2]} "):
        sums.read()
