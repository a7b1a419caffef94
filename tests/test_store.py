import json
import multiprocessing
from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest
from test_setting import LAYOUT, SETTING

from study.data.examples import Examples
from study.loss import PLAIN, Loss
from study.setting import SettingError
from study.store import EXAMPLES_FILE, Store, StoreError, Table, read_parts, read_provenance, stored_losses

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
    Store(tmp_path, SETTING, LAYOUT, regrouped)
    assert pl.read_parquet(store.folder / EXAMPLES_FILE).columns[-1] == "genre"


def test_half_a_file_is_never_read(store: Store) -> None:
    store.write(rows(), {})
    part = next(store.folder.glob("part-*"))
    (store.folder / f".{part.name}.killed.tmp").write_bytes(part.read_bytes()[:100])
    assert store.read().rows.height == 3


def test_a_failed_write_leaves_nothing(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    def full_disk(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    before = sorted(store.folder.iterdir())
    monkeypatch.setattr(pl.DataFrame, "write_parquet", full_disk)
    with pytest.raises(StoreError, match="No space left on device"):
        store.write(rows(), {})
    assert sorted(store.folder.iterdir()) == before


def test_a_damaged_part_is_named(store: Store) -> None:
    (store.folder / "part-0-damaged.parquet").write_bytes(b"PAR1 not really")
    with pytest.raises(StoreError, match="part-0-damaged.parquet"):
        read_parts(store.folder)


def test_refuses_a_folder_of_another_setting(store: Store, tmp_path: Path) -> None:
    path = store.folder / "setting.json"
    stored = json.loads(path.read_text())
    stored["identity"]["subject"]["precision"] = "bfloat16"
    path.write_text(json.dumps(stored))
    with pytest.raises(SettingError, match='precision: expected "float32", found "bfloat16"'):
        Store(tmp_path, SETTING, LAYOUT, EXAMPLES)


def test_says_where_it_cannot_write(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="cannot write to"):
        Store(tmp_path / "file", SETTING, LAYOUT, EXAMPLES)


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
    store.write(gradients(), {}, Table.GRADIENTS)
    assert store.read().rows.is_empty()
    assert store.read(Table.GRADIENTS).rows.equals(gradients())
    store.write(rows(), {})
    assert store.read().rows.equals(rows())


def test_gradients_of_another_loss_are_another_table(store: Store) -> None:
    smoothed = Table.gradients(Loss(0.1))
    store.write(gradients(0.5), {}, Table.GRADIENTS)
    assert store.read(smoothed).rows.is_empty()
    store.write(gradients(0.7), {}, smoothed)
    assert store.read(Table.GRADIENTS).rows.equals(gradients(0.5))
    assert store.read(smoothed).rows.equals(gradients(0.7))
    assert stored_losses(store.folder) == [Loss(0.1), PLAIN]


def test_gradients_agree_within_a_share_of_the_largest(store: Store) -> None:
    store.write(gradients(0.5), {}, Table.GRADIENTS)
    store.write(gradients(0.5 + 1e-3), {}, Table.GRADIENTS)
    assert store.read(Table.GRADIENTS).rows.height == 3
    store.write(gradients(0.5 + 1e-2), {}, Table.GRADIENTS)
    with pytest.raises(StoreError, match="disagree on"):
        store.read(Table.GRADIENTS)


def test_low_precision_agrees_within_a_larger_tolerance(tmp_path: Path) -> None:
    low = replace(SETTING, subject={**SETTING.subject, "precision": "bfloat16"})
    for setting in (SETTING, low):
        store = Store(tmp_path, setting, LAYOUT, EXAMPLES)
        store.write(rows(margin=0.9), {})
        store.write(rows(margin=1.1), {})
    assert store.read().rows.height == 3
    with pytest.raises(StoreError, match="disagree"):
        Store(tmp_path, SETTING, LAYOUT, EXAMPLES).read()
