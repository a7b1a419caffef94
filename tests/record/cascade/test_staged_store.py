"""A store of rows with stages: what stands is the same by every reader, for every writer, in every form of part."""

import json
from dataclasses import replace
from itertools import product
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from fixtures.processes import FORKED

from study.record.cascade import Stage, Thresholds
from study.record.examples import Examples
from study.record.parts import StoreError, write_part
from study.record.reading.mask_sums import read_sums
from study.record.setting import Setting
from study.record.store import Store, read_parts
from study.record.tables import OUTCOMES
from study.record.units import AttentionKind, HeadLayout

LAYOUT = HeadLayout({AttentionKind.ENCODER_SELF: (2, 1)})
SETTING = Setting(
    "m", "d", "accuracy", {"precision": "cascade|x", "labels": ["no", "yes"]}, {"digest": "0"}, "accuracy|percent"
)
IDS = tuple(f"e{number}" for number in range(6))
EXAMPLES = Examples(IDS, tuple((name,) for name in IDS), ("yes",) * 6)
KEYS = ["".join(row) for row in product("01", repeat=3)]
NONE = Thresholds()


def open_store(place: Path) -> Store:
    return Store(place, SETTING, LAYOUT, EXAMPLES)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return open_store(tmp_path)


def rows(
    stage: Stage, answers: str, margins: float | list[float] = 1.0, mask: str = "011", first: int = 0
) -> pl.DataFrame:
    """Rows of one mask on examples one after the other: `y` where the answer is yes, which is right."""
    return pl.DataFrame(
        {
            "mask": [mask] * len(answers),
            "example": IDS[first : first + len(answers)],
            "prediction": [int(answer == "y") for answer in answers],
            "correct": [int(answer == "y") for answer in answers],
            "count": [1] * len(answers),
            "stage": [str(stage)] * len(answers),
            "margin": margins if isinstance(margins, list) else [margins] * len(answers),
        },
        schema_overrides={"margin": pl.Float32},
    )


def at(value: float, mask: str = "011", stage: Stage = Stage.first_order) -> Thresholds:
    return Thresholds({stage: {mask: value}})


def standing(store: Store) -> dict[tuple[str, str], tuple[str, int]]:
    """What stands, as every reader finds it."""
    found = store.read().rows
    again = read_parts(store.folder).rows
    assert again.sort("mask", "example").equals(found.sort("mask", "example"))
    sums = read_sums(store.folder, SETTING.scoring, groups=np.arange(len(IDS)))
    counted = {
        (mask, IDS[place]): int(right)
        for mask, of_mask in zip(sums.masks, sums.sums, strict=True)
        for place, (right, count) in enumerate(of_mask)
        if count
    }
    assert counted == {(row["mask"], row["example"]): row["correct"] for row in found.iter_rows(named=True)}
    assert dict(zip(sums.masks, sums.counts.tolist(), strict=True)) == {
        mask: sum(key[0] == mask for key in counted) for mask in sums.masks
    }
    assert sums.close_calls == store.read().close_calls
    return {(row["mask"], row["example"]): (row["stage"], row["correct"]) for row in found.iter_rows(named=True)}


def test_drafts_stand_until_a_part_knows_of_a_larger_threshold(store: Store) -> None:
    store.write(rows(Stage.first_order, "yynn", [1.0, 2.0, 3.0, 0.5]), {}, thresholds=at(0.7))
    assert set(standing(store)) == {("011", name) for name in ("e0", "e1", "e2")}
    assert store.thresholds.at(Stage.first_order, "011") == 0.7
    store.write(rows(Stage.float32, "y", 0.1), {}, thresholds=at(2.5))
    assert standing(store) == {("011", "e0"): ("float32", 1), ("011", "e2"): ("first_order", 0)}
    assert store.thresholds == at(2.5)
    store.write(rows(Stage.bfloat16, "n", first=1), {}, thresholds=at(0.2, stage=Stage.bfloat16))
    assert standing(store)["011", "e1"] == ("bfloat16", 0), "what the later stage says is compared with nothing"
    assert store.drafts().select("example", "stage", "correct").sort("example").rows() == [
        ("e0", "first_order", 1), ("e1", "bfloat16", 0), ("e2", "first_order", 0), ("e3", "first_order", 0)
    ]  # fmt: skip


def test_drafts_are_read_with_what_stands(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    store.write(rows(Stage.first_order, "yynn", [1.0, 2.0, 3.0, 0.5]), {}, thresholds=at(0.7))
    store.read()
    monkeypatch.setattr("study.record.store.read_every", lambda *_, **__: pytest.fail("read again"))
    assert store.drafts().sort("example")["margin"].to_list() == [1.0, 2.0, 3.0, 0.5]


def test_rows_with_a_stage_and_rows_without_are_refused_in_words(store: Store) -> None:
    store.write(rows(Stage.first_order, "yy"), {}, thresholds=at(0.7))
    write_part(rows(Stage.float32, "n").drop("stage"), store.folder, OUTCOMES, SETTING.id, {})
    with pytest.raises(StoreError, match="others with one: they are of two precisions"):
        read_sums(store.folder, SETTING.scoring)
    with pytest.raises(StoreError, match="its columns are not those of"):
        open_store(store.folder.parent.parent.parent).read()


def test_a_threshold_is_of_one_mask(store: Store) -> None:
    every = Thresholds({Stage.first_order: {"011": 5.0, "101": 0.5, "110": 5.0}})
    store.write(rows(Stage.first_order, "yy", mask="101"), {}, thresholds=every)
    known = pl.read_parquet_metadata(next(store.folder.glob("part-*")))["thresholds"]
    assert json.loads(known) == {"first_order": {"101": 0.5}}, "a part tells those of its masks alone"
    assert len(standing(store)) == 2
    store.write(rows(Stage.first_order, "yy", 2.0), {}, thresholds=at(1.5))
    assert len(standing(store)) == 4
    store.write(rows(Stage.first_order, "y", 2.0, mask="110"), {})
    assert len(standing(store)) == 4, "a draft without any threshold does not stand"


def test_packed_parts_know_their_thresholds_too(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("study.record.store.MANY", 4)
    drafted = pl.concat(rows(Stage.first_order, "ynynyn", [0.2, 0.4, 0.6, 0.8, 1.0, 1.2], mask) for mask in KEYS)
    low = Thresholds({Stage.first_order: {mask: 0.5 + 0.1 * number for number, mask in enumerate(KEYS)}})
    store.write(drafted, {}, together=KEYS, thresholds=low)
    exact = pl.concat(rows(Stage.float32, "nn", mask=mask) for mask in KEYS[:5])
    store.write(exact, {}, together=KEYS, thresholds=at(1.1, KEYS[0]))
    assert list(store.folder.glob("masks-*")), "the parts are packed"
    found = standing(store)
    expected = {(mask, IDS[place]): ("float32", 0) for mask in KEYS[:5] for place in (0, 1)}
    for mask in KEYS:
        value = low.join(at(1.1, KEYS[0])).at(Stage.first_order, mask)
        for place, margin in enumerate([0.2, 0.4, 0.6, 0.8, 1.0, 1.2]):
            if float(np.float32(margin)) > value:
                expected.setdefault((mask, IDS[place]), ("first_order", (place + 1) % 2))
    assert found == expected


def test_drafts_that_disagree_are_open(store: Store) -> None:
    for answers, margins in (("yyn", [1.0, 1.0, 1.0]), ("yny", [0.6, 1.0, 1.0])):
        store.write(rows(Stage.first_order, answers, margins), {}, thresholds=at(0.5))
    assert standing(store) == {("011", "e0"): ("first_order", 1)}
    store.write(rows(Stage.float32, "n", first=1), {}, thresholds=at(0.8))
    assert standing(store) == {("011", "e1"): ("float32", 0)}, "of two drafts the least margin counts"


def test_exact_rows_must_agree_as_those_of_float32(store: Store) -> None:
    assert SETTING.tolerance > 0.1, "the setting's own tolerance is that of low precision"
    for margin in (1.0, 1.00005):
        store.write(rows(Stage.float32, "yn", margin), {})
    assert len(standing(store)) == 2
    store.write(rows(Stage.float32, "yn", 1.1), {})
    for read in (store.read, lambda: read_sums(store.folder, SETTING.scoring)):
        with pytest.raises(StoreError, match=r"part-.* and part-.* disagree on 2 rows"):
            read()


def test_close_calls_between_exact_rows_are_counted(store: Store) -> None:
    for answer in "yn":
        store.write(rows(Stage.float32, answer, 5e-5), {})
        store.write(rows(Stage.first_order, answer, 3.0), {}, thresholds=at(0.1))
    assert standing(store) == {("011", "e0"): ("float32", 1)}
    assert store.read().close_calls == 1


def test_thresholds_that_cannot_be_read_are_a_flaw_of_the_part(store: Store, tmp_path: Path) -> None:
    store.describe()
    part = write_part(rows(Stage.bfloat16, "y"), store.folder, OUTCOMES, SETTING.id, {}, {"thresholds": '{"int4": {}}'})
    with pytest.raises(StoreError, match=rf"{part.name}: its thresholds cannot be read: 'int4' is not a valid Stage"):
        open_store(tmp_path)


def test_a_stage_that_there_is_not_is_named(store: Store) -> None:
    store.write(rows(Stage.bfloat16, "y").with_columns(stage=pl.lit("int4")), {})
    for read in (store.read, lambda: read_sums(store.folder, SETTING.scoring)):
        with pytest.raises(StoreError, match="rows of stage int4, which is none of first_order, bfloat16, float32"):
            read()


def write_share(place: Path, share: int) -> None:
    """What one of two processes does: drafts of its examples, an error found, a threshold raised, exact rows."""
    store = open_store(place)
    margins = [0.5 + 0.1 * number for number in range(share, 6, 2)]
    drafted = rows(Stage.first_order, "yyyyyy", [0.5 + 0.1 * number for number in range(6)])[share::2]
    for number in range(3):
        store.write(drafted[number : number + 1], {}, thresholds=at(0.1))
    raised = at((0.65, 0.85)[share])
    opened = drafted.filter(store.thresholds.join(raised).is_open(drafted))
    assert opened.height < len(margins)
    store.write(opened.with_columns(stage=pl.lit("float32"), margin=pl.lit(0.01, pl.Float32)), {}, thresholds=raised)


def test_two_processes_raise_thresholds_without_knowing_of_each_other(tmp_path: Path) -> None:
    workers = [FORKED.Process(target=write_share, args=(tmp_path, share)) for share in (0, 1)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(120)
        assert worker.exitcode == 0
    store = open_store(tmp_path)
    assert store.thresholds == at(0.85)
    found = standing(store)
    drafts = {name for (_, name), (stage, _) in found.items() if stage == "first_order"}
    assert drafts == {"e4", "e5"}, "margins of .9 and 1 alone are above the larger of both thresholds"
    assert {("011", "e0"), ("011", "e1"), ("011", "e3")} <= set(found), "each has computed what it knew to be open"
    store.write(rows(Stage.float32, "y", 0.3, first=2), {})
    assert set(standing(store)) == {("011", name) for name in IDS}, "whoever comes next computes the rest"


def test_folders_without_stages_are_read_as_ever(tmp_path: Path) -> None:
    plain = replace(SETTING, subject={"precision": "float32", "labels": ["no", "yes"]})
    store = Store(tmp_path, plain, LAYOUT, EXAMPLES)
    for margin in (1.0, 1.00005):
        store.write(rows(Stage.float32, "yn", margin).drop("stage"), {})
    for part in store.folder.glob("part-*"):
        assert set(pl.read_parquet_metadata(part)) & {"thresholds", "provenance"} == {"provenance"}
    assert store.read().rows.equals(rows(Stage.float32, "yn").drop("stage"))
    assert store.thresholds == NONE
    assert store.drafts().is_empty()
