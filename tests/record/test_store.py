import json
import multiprocessing
import subprocess
from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest
from test_setting import LAYOUT, SETTING

from study.record.examples import Examples
from study.record.files import WriteError, refusal, require_writable, unsealed
from study.record.loss import Loss
from study.record.parts import StoreError, read_provenance
from study.record.setting import DamagedSettingError, SettingError, read_setting
from study.record.store import EXAMPLES_FILE, Store, read_examples, read_parts
from study.record.tables import GRADIENTS, Gradients, stored_tables

EXAMPLES = Examples(
    ids=("x", "y", "z"),
    texts=(("a", "b"), ("c", "d"), ("e", "f")),
    targets=("yes", "no", "yes"),
    columns={"group": ("a", "c", "a")},
)


def rows(mask: str = "1111", *, correct: tuple[int, ...] = (1, 0, 1), margin: float = 0.5, loss: float = 0.25):
    n = len(correct)
    return pl.DataFrame(
        {
            "mask": [mask] * n,
            "example": list(EXAMPLES.ids[:n]),
            "correct": correct,
            "count": [1] * n,
            "margin": [margin] * n,
            "loss": [loss] * n,
        },
        schema_overrides={"margin": pl.Float32, "loss": pl.Float32},
    )


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path, SETTING, LAYOUT, EXAMPLES)


def test_reads_what_was_written_by_anyone(store: Store, tmp_path: Path) -> None:
    assert store.read().rows.is_empty()
    store.write(rows("1111"), {"device": "cpu"})
    Store(tmp_path, SETTING, LAYOUT, EXAMPLES).write(rows("0111"), {"device": "cuda"})
    assert store.read().rows.sort("mask", "example").equals(pl.concat([rows("0111"), rows("1111")]))
    assert {read_provenance(part)["device"] for part in store.folder.glob("part-*")} == {"cpu", "cuda"}


def test_keeps_the_examples_for_the_analysis(store: Store) -> None:
    store.describe()
    frame = pl.read_parquet(store.folder / EXAMPLES_FILE)
    assert frame.rows(named=True)[1] == {"example": "y", "target": "no", "text_1": "c", "text_2": "d", "group": "c"}


def test_the_first_part_by_name_stands_where_doubles_agree(store: Store) -> None:
    store.write(rows(loss=0.25), {})
    store.write(rows(loss=0.25 + 9e-5), {})
    first, second = sorted(store.folder.glob("part-*"))
    outcomes = store.read()
    assert outcomes.rows.equals(pl.read_parquet(first))
    assert not outcomes.rows.equals(pl.read_parquet(second))
    assert outcomes.close_calls == 0


def test_close_calls_may_differ_and_are_counted(store: Store) -> None:
    store.write(rows(margin=5e-5), {})
    store.write(rows(correct=(0, 0, 0), margin=-5e-5), {})
    assert store.read().close_calls == 2
    assert store.read().rows.height == 3


@pytest.mark.parametrize("other", [{"correct": (1, 1, 1)}, {"loss": 0.2503}, {"margin": 0.5003}])
def test_refuses_parts_that_disagree(store: Store, other: dict) -> None:
    store.write(rows(), {})
    store.write(rows(**other), {})
    with pytest.raises(StoreError, match=r"part-.* and part-.* disagree on \d rows"):
        store.read()


def test_infinite_margins_agree_with_themselves(store: Store) -> None:
    for _ in range(2):
        store.write(rows(margin=float("inf"), loss=float("nan")), {})
    assert store.read().rows.height == 3


def test_new_groups_replace_the_old_ones(store: Store, tmp_path: Path) -> None:
    regrouped = replace(EXAMPLES, columns={"genre": ("p", "q", "p")})
    store.describe()
    Store(tmp_path, SETTING, LAYOUT, regrouped).describe()
    assert pl.read_parquet(store.folder / EXAMPLES_FILE).columns[-1] == "genre"


def test_half_a_file_is_never_read(store: Store) -> None:
    store.write(rows(), {})
    part = next(store.folder.glob("part-*"))
    (store.folder / f".{part.name}.killed.tmp").write_bytes(part.read_bytes()[:100])
    assert store.read().rows.height == 3


def test_a_failed_write_leaves_nothing(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    def full_disk(draft: Path, content: bytes) -> None:
        with draft.open("wb") as file:
            file.write(content[:100])
        raise OSError(28, "No space left on device")

    store.write(rows(), {})
    before = sorted(store.folder.iterdir())
    monkeypatch.setattr(Path, "write_bytes", full_disk)
    with pytest.raises(WriteError, match=r"No space left on device\. 3 rows are lost, all that was stored"):
        store.write(rows("0111"), {})
    assert sorted(store.folder.iterdir()) == before
    assert store.read().rows.height == 3


def test_polars_words_for_a_full_disk_are_the_systems() -> None:
    with pytest.raises(pl.exceptions.ComputeError) as raised:
        rows().write_parquet("/dev/full")
    assert refusal(raised.value) == "No space left on device"
    assert refusal(ValueError("of another kind")) is None


def test_every_damaged_part_is_named_and_the_named_cure_works(store: Store, tmp_path: Path) -> None:
    cut, changed, moved = (store.write(rows(mask), {}) for mask in ("1111", "0111", "1011"))
    other = Store(tmp_path, replace(SETTING, statistic="other"), LAYOUT, EXAMPLES)
    foreign = other.write(rows(), {})
    foreign = foreign.rename(store.folder / foreign.name)
    cut.write_bytes(cut.read_bytes()[:50])
    content = bytearray(changed.read_bytes())
    content[20] ^= 1
    changed.write_bytes(content)
    moved = moved.rename(store.folder / moved.name.replace("part-", "gradients-"))
    odd = store.folder / "gradients_of_nothing-1-2.parquet"
    odd.mkdir()
    empty = store.folder / "part-1-2.parquet"
    empty.write_bytes(b"")
    broken = {cut, changed, moved, foreign, odd, empty}
    good = store.write(rows("1101"), {})
    with pytest.raises(StoreError, match="6 files cannot be used") as raised:
        Store(tmp_path, SETTING, LAYOUT, EXAMPLES)
    said = str(raised.value)
    assert f"{foreign.name}: it belongs to setting {other.folder.name}" in said
    assert f"{moved.name}: it has not the name that it was written under" in said
    assert f"{changed.name}: it was cut or changed" in said
    assert all(f"{path.name}: " in said for path in broken)
    assert good.name not in said
    subprocess.run(said.splitlines()[-1], shell=True, check=True)
    assert Store(tmp_path, SETTING, LAYOUT, EXAMPLES).read().rows.equals(rows("1101"))


def test_parts_of_earlier_versions_are_read_and_their_form_is_checked(store: Store, tmp_path: Path) -> None:
    store.describe()
    rows().write_parquet(store.folder / "part-20260101T000000.000000-0123456789ab.parquet")
    rows("01111").write_parquet(store.folder / "part-20260101T000001.000000-0123456789ab.parquet")
    store.write(rows("0111"), {})
    with pytest.raises(StoreError, match=r"1 file cannot be used\.\n.*000001.*has not 4 heads"):
        store.read()
    (store.folder / "part-20260101T000001.000000-0123456789ab.parquet").unlink()
    assert store.read().rows.height == 6


def test_nothing_is_made_before_there_are_rows(store: Store) -> None:
    assert not store.folder.parent.parent.exists()
    assert not store.described
    store.write(rows(), {})
    assert store.described


@pytest.mark.parametrize("name", ["setting.json", EXAMPLES_FILE])
@pytest.mark.parametrize("damage", [Path.unlink, lambda path: path.write_bytes(path.read_bytes()[:40])])
def test_what_follows_from_the_configuration_is_written_anew(store: Store, tmp_path: Path, name: str, damage) -> None:
    store.write(rows(), {})
    before = (store.folder / name).read_bytes()
    damage(store.folder / name)
    again = Store(tmp_path, SETTING, LAYOUT, EXAMPLES)
    assert not again.described
    again.describe()
    assert again.described
    assert (store.folder / name).read_bytes() == before


def test_a_changed_digit_of_the_setting_or_the_examples_is_seen(store: Store) -> None:
    store.write(rows(), {})
    path = store.folder / "setting.json"
    path.write_text(path.read_text().replace('"model": "m"', '"model": "n"'))
    with pytest.raises(DamagedSettingError, match="not what its digest says"):
        read_setting(store.folder)
    frame = pl.read_parquet(store.folder / EXAMPLES_FILE)
    known = pl.read_parquet_metadata(store.folder / EXAMPLES_FILE)
    frame.with_columns(group=pl.lit("a")).write_parquet(
        store.folder / EXAMPLES_FILE, metadata={name: known[name] for name in ("digest", "setting")}
    )
    with pytest.raises(StoreError, match="not what its digest says"):
        read_examples(store.folder)


def test_refuses_a_folder_of_another_setting(store: Store, tmp_path: Path) -> None:
    store.describe()
    path = store.folder / "setting.json"
    stored = unsealed(json.loads(path.read_text()))
    stored["identity"]["subject"]["precision"] = "bfloat16"
    path.write_text(json.dumps(stored))
    with pytest.raises(SettingError, match='precision: expected "float32", found "bfloat16"'):
        Store(tmp_path, SETTING, LAYOUT, EXAMPLES)


def test_says_where_it_cannot_write(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    store = Store(tmp_path / "file", SETTING, LAYOUT, EXAMPLES)
    with pytest.raises(WriteError, match=r"cannot write .*: Not a directory"):
        store.write(rows(), {})
    with pytest.raises(WriteError, match=r"cannot write to .*file is a file"):
        require_writable(store.folder)


def _write_many(results: Path, worker: int) -> None:
    store = Store(results, SETTING, LAYOUT, EXAMPLES)
    for i in range(5):
        store.write(rows(f"{worker:02b}{i % 4:02b}"), {})


def test_many_writers_at_once(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    workers = [context.Process(target=_write_many, args=(tmp_path, worker)) for worker in range(3)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert [worker.exitcode for worker in workers] == [0, 0, 0]
    outcomes = read_parts(SETTING.folder(tmp_path)).rows
    assert outcomes.height == 3 * 4 * len(EXAMPLES)


def gradients(gradient: float = 0.5, *, mask: str = "1111") -> pl.DataFrame:
    n, shape = len(EXAMPLES), pl.Array(pl.Float32, 4)
    return pl.DataFrame(
        {
            "mask": [mask] * n,
            "example": EXAMPLES.ids,
            "loss": [0.25] * n,
            "gradient": [[gradient, -20.0, 0.0, 1.0]] * n,
            "token_gradient": [[1.0, 20.0, 0.0, 1.0]] * n,
            "source_tokens": [7] * n,
            "target_tokens": [7] * n,
        },
        schema_overrides={"loss": pl.Float32, "gradient": shape, "token_gradient": shape},
    )


def test_gradients_are_a_table_of_their_own(store: Store) -> None:
    store.write(gradients(), {}, GRADIENTS)
    assert store.read().rows.is_empty()
    assert store.read(GRADIENTS).rows.equals(gradients())
    store.write(rows(), {})
    assert store.read().rows.equals(rows())


def test_gradients_of_another_loss_are_another_table(store: Store) -> None:
    smoothed = Gradients(Loss(0.1))
    store.write(gradients(0.5), {}, GRADIENTS)
    assert store.read(smoothed).rows.is_empty()
    store.write(gradients(0.7), {}, smoothed)
    assert store.read(GRADIENTS).rows.equals(gradients(0.5))
    assert store.read(smoothed).rows.equals(gradients(0.7))
    assert stored_tables(store.folder) == [GRADIENTS, Gradients(Loss(0.1))]


def test_gradients_agree_within_a_share_of_the_largest(store: Store) -> None:
    store.write(gradients(0.5), {}, GRADIENTS)
    store.write(gradients(0.5 + 1e-3), {}, GRADIENTS)
    assert store.read(GRADIENTS).rows.height == 3
    store.write(gradients(0.5 + 1e-2), {}, GRADIENTS)
    with pytest.raises(StoreError, match="disagree on"):
        store.read(GRADIENTS)


def test_low_precision_agrees_within_a_larger_tolerance(tmp_path: Path) -> None:
    low = replace(SETTING, subject={**SETTING.subject, "precision": "bfloat16"})
    for setting in (SETTING, low):
        store = Store(tmp_path, setting, LAYOUT, EXAMPLES)
        store.write(rows(margin=0.9), {})
        store.write(rows(margin=1.1), {})
    assert store.read().rows.height == 3
    with pytest.raises(StoreError, match="disagree"):
        Store(tmp_path, SETTING, LAYOUT, EXAMPLES).read()


def test_columns_of_a_damaged_part_are_refused_by_its_name(store: Store) -> None:
    assert store.columns == []
    part = store.write(rows(), {})
    assert store.columns == rows().columns
    part.write_bytes(part.read_bytes()[:50])
    with pytest.raises(StoreError, match=f"{part.name}: it is no whole parquet file"):
        _ = store.columns
