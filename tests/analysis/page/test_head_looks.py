"""The dialog of a head shows its maps, offsets, statistics and roles, and the page has them in little room."""

import re
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest
from fixtures.attention.planted_rows import plant
from fixtures.results import CLASSIFIER, TRANSLATOR, fill

from analysis import analyse, read_results, write_report
from analysis.page.sections.attention import head_looks
from analysis.page.sections.attention.head_looks import fitting
from study.record.maps.stored_maps import StoredMaps, map_columns, read_maps
from study.record.store import Store
from study.record.tables import Maps
from study.record.units import HeadLayout
from tests.analysis.page.test_sentence_page import sentence_of

HEAD = 5
"""The place of encoder_self.1.1 in the layout."""


def plant_maps(store: Store, number: int) -> list[StoredMaps]:
    """Store the maps of the first examples."""
    ids = store._examples["example"][:number].to_list()
    made = [sentence_of(store.layout, seed=i) for i in range(number)]
    rows = [
        {"mask": store.layout.full_key, "example": i, **map_columns(maps)} for i, maps in zip(ids, made, strict=True)
    ]
    types = {name: pl.List(pl.String) for name in ("words", "target_words")}
    types |= {name: pl.List(pl.Boolean) for name in ("special", "target_special")} | {"weights": pl.List(pl.UInt8)}
    store.write(pl.DataFrame(rows, schema_overrides=types), {"device": "cpu"}, Maps())
    return read_maps(store.folder, store.layout)


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> tuple[list[StoredMaps], Path]:
    results = tmp_path_factory.mktemp("looks") / "results"
    masks = {CLASSIFIER.key(mask): mask for mask in (CLASSIFIER.full(), *CLASSIFIER.each_off())}
    store = fill(results, "accuracy", model="toy_bert", data="home", count=30, masks=masks)
    plant(store, {HEAD: {"previous": 0.8}}, offsets={HEAD: (-1, 0.75)}, noise=0.05)
    stored = plant_maps(store, 3)
    return stored, write_report(analyse(read_results(results)), results.parent / "out")


def test_the_dialog_shows_what_was_planted(
    visit: Callable, axe: Callable, report: tuple[list[StoredMaps], Path]
) -> None:
    stored, path = report
    tab = visit(page=path)
    tab.get_by_role("combobox", name="Find a head").fill("encoder_self.1.1")
    tab.keyboard.press("Enter")
    looks = tab.locator("dialog section", has_text="What it looks at")
    assert looks.locator(".roles").inner_text().startswith("previous")
    assert "-1: 0.75" in looks.locator(".offsets").get_attribute("aria-label").replace("−", "-")
    looks.locator("summary", has_text="Its numbers").click()
    [row] = looks.locator("table.looks tr", has_text="token before").all_inner_texts()
    assert float(re.findall(r"[\d.]+", row)[0]) == pytest.approx(0.8, abs=0.03)
    looks.locator("summary", has_text="Its maps of 3 sentences").click()
    looks.locator("select").select_option("2")
    tab.wait_for_function("document.querySelector('dialog .attention')")
    line = looks.locator(".words").first
    line.locator("button").nth(3).click()
    shown = [0.0 if text == "·" else float(text) for text in line.locator("small").all_inner_texts()]
    head = CLASSIFIER.heads[HEAD]
    assert shown == pytest.approx((stored[2].weights[head][3] / 255).tolist(), abs=0.0051)
    assert axe(tab) == []
    tab.keyboard.press("ArrowRight")
    assert tab.locator("#head-name").inner_text() == "L1H1", "arrows lead through the words, not to the next head"


def test_a_page_without_attention_has_nothing_of_it(results: Path, tmp_path: Path) -> None:
    masks = {CLASSIFIER.key(mask): mask for mask in (CLASSIFIER.full(), *CLASSIFIER.each_off())}
    fill(results, "accuracy", model="plain", data="home", masks=masks)
    page = write_report(analyse(read_results(results)), tmp_path / "out").read_text(encoding="utf-8")
    assert not re.search("attention-data|attentionView|\\.words button", page)


@pytest.mark.parametrize("layout", [CLASSIFIER, TRANSLATOR])
def test_as_many_sentences_as_fit(
    make: Callable[..., Store], layout: HeadLayout, monkeypatch: pytest.MonkeyPatch
) -> None:
    stored = plant_maps(make("accuracy" if layout is CLASSIFIER else "bleu", count=9), 9)
    [whole] = fitting([stored])
    assert (whole["kept"], len(whole["sentences"])) == (9, 8)
    size = sum(map(len, whole["maps"].values()))
    monkeypatch.setattr(head_looks, "MOST_BYTES", size - 1)
    [fewer] = fitting([stored])
    assert (fewer["kept"], len(fewer["sentences"])) == (9, 4)
    assert set(fewer["maps"]) == set(map(str, layout.heads))
    monkeypatch.setattr(head_looks, "MOST_BYTES", 0)
    assert fitting([stored]) == [{"kept": 9, "sentences": [], "maps": {}}]
