"""Effects of a growing folder: what an analysis of the examples in hand says, read again only when there is more."""

from pathlib import Path

import polars as pl
import pytest
from fixtures.results import CLASSIFIER, fill

import sixteen_heads.live.effects
from analysis.effects.head_effects import Measure, effects
from analysis.results.read import read_domain
from sixteen_heads.live.effects import StudyEffects
from study.record.store import Store


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return fill(tmp_path, "accuracy", model="model", data="pairs", count=60)


def only(store: Store, rows: pl.DataFrame) -> None:
    """Leave these rows in a setting and no other."""
    for part in store.folder.glob("part-*"):
        part.unlink()
    store.write(rows, {"device": "cpu"})


def test_effects_are_those_of_an_analysis_of_the_examples_in_hand(store: Store, tmp_path: Path) -> None:
    whole, singles = store.read().rows, [CLASSIFIER.key(mask) for mask in CLASSIFIER.each_off()]
    first = [f"pairs-{i}" for i in range(30)]
    # the full mask is done; ten heads have 30 of 60 examples, and one has just begun
    of_ten = pl.col("mask").is_in(singles[:10]) & pl.col("example").is_in(first)
    begun = (pl.col("mask") == singles[10]) & (pl.col("example") == "pairs-0")
    only(store, whole.filter((pl.col("mask") == CLASSIFIER.full_key) | of_ten | begun))
    domain = read_domain(store.folder, under_way=True)
    assert domain.examples.height == 30
    found = effects(domain).filter(measure=Measure.ABLATION)
    assert found.height == 10
    right = whole.filter(pl.col("example").is_in(first)).group_by("mask").agg(pl.col("correct").mean() * 100)
    scores = dict(right.iter_rows())
    expected = [scores[mask] - scores[CLASSIFIER.full_key] for mask in singles[:10]]
    assert found["effect"].to_list() == pytest.approx(expected)
    (shown,) = StudyEffects(tmp_path).latest()
    assert shown.seen == "30 examples, 10 of 16 heads removed, each alone"
    assert shown.base == f"{scores[CLASSIFIER.full_key]:.2f} %"
    largest = max(expected, key=abs)
    assert shown.bars[0].text.startswith(f"{largest:+.2f} (".replace("-", "−"))
    assert all(0 <= bar.low <= bar.at <= bar.high <= 100 for bar in shown.bars)


def test_of_whole_masks_no_example_is_lost(store: Store) -> None:
    usual, under_way = read_domain(store.folder), read_domain(store.folder, under_way=True)
    assert under_way.rows.sort("mask", "example").equals(usual.rows.sort("mask", "example"))


def test_nothing_is_read_again_without_new_parts_nor_at_once_with_them(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[Path] = []

    def counted(folder: Path, **options: bool) -> object:
        read.append(folder)
        return read_domain(folder, **options)

    monkeypatch.setattr(sixteen_heads.live.effects, "read_domain", counted)
    seen = StudyEffects(tmp_path)
    assert seen.latest() == seen.latest()
    assert len(read) == 1
    rows = store.read().rows
    store.write(rows.head(1), {"device": "cpu"})
    monkeypatch.setattr(sixteen_heads.live.effects, "PATIENCE", 1e6)
    seen.latest()
    assert len(read) == 1, "its time has not come"
    monkeypatch.setattr(sixteen_heads.live.effects, "PATIENCE", 0)
    seen.latest()
    assert len(read) == 2


def test_a_folder_without_a_base_score_shows_nothing_yet(store: Store, tmp_path: Path) -> None:
    only(store, store.read().rows.filter(pl.col("mask") != CLASSIFIER.full_key))
    assert StudyEffects(tmp_path).latest() == []
    assert StudyEffects(tmp_path / "not there").latest() == []
