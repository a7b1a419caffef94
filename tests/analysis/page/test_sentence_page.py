"""The page of one sentence: numbers are those of the maps, in a real browser, by keyboard and on a phone."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from analysis.page.maps import packing
from analysis.page.maps.head_numbers import divergence, head_numbers
from analysis.page.maps.packing import pack
from analysis.page.maps.sentence_page import SentencePage
from study.record.maps.sentence_maps import SentenceMaps, Side
from study.record.units import AttentionKind, Head, HeadLayout

WORDS = ("[CLS]", "<b>The</b>", "unbelievable", "dog", "[SEP]")
WORD_OF = (0, 1, 2, 2, 2, 3, 4)
HEAD = Head(AttentionKind.ENCODER_SELF, 1, 2)


def made_maps(seed: int = 0, kinds: tuple[AttentionKind, ...] = (AttentionKind.ENCODER_SELF,)) -> SentenceMaps:
    return sentence_of(HeadLayout(dict.fromkeys(kinds, (3, 3))), seed)


def sentence_of(layout: HeadLayout, seed: int = 0) -> SentenceMaps:
    """Random maps of a sentence, by the heads of a layout."""
    kinds = tuple(layout.counts)
    tokens = ("[CLS]", "<b>The</b>", "un", "##believ", "##able", "dog", "[SEP]")
    source = Side(tokens, WORDS, np.array(WORD_OF), np.isin(np.arange(7), (0, 6)))
    target = Side(("<s>", "Der", "Hund"), ("<s>", "Der", "Hund"), np.arange(3), np.arange(3) == 0)
    maps = SentenceMaps("a", layout, source, target if len(kinds) > 1 else None, {})
    generator = np.random.default_rng(seed)
    sizes = {kind: (len(maps.queries(kind).tokens), len(maps.keys(kind).tokens)) for kind in kinds}
    weights = {head: generator.dirichlet(np.ones(sizes[head.kind][1]), sizes[head.kind][0]) for head in layout.heads}
    return replace(maps, weights={head: own.astype(np.float32) for head, own in weights.items()})


@pytest.fixture(scope="module")
def sentence(tmp_path_factory: pytest.TempPathFactory) -> tuple[list[SentenceMaps], Path]:
    conditions = [made_maps(0), made_maps(1)]
    path = tmp_path_factory.mktemp("sentence") / "map.html"
    page = SentencePage("model", {"text": "<b>The</b> unbelievable dog"}, conditions, ("every head on", "without L0H0"))
    path.write_text(page.html(), encoding="utf-8")
    return conditions, path


def test_numbers_of_heads_are_those_of_their_weights(sentence: tuple[list[SentenceMaps], Path]) -> None:
    (before, after), _ = sentence
    found = head_numbers([before, after])[HEAD]
    rows = before.weights[HEAD].astype(float)
    n = len(rows)
    expected = {
        "entropy": -sum(a * np.log(a) for row in rows for a in row) / n,
        "largest": sum(max(row) for row in rows) / n,
        "self": sum(rows[i][i] for i in range(n)) / n,
        "previous": sum(rows[i][i - 1] for i in range(1, n)) / n,
        "next": sum(rows[i][i + 1] for i in range(n - 1)) / n,
        "special": sum(row[0] + row[6] for row in rows) / n,
        "change": divergence(before.weights[HEAD], after.weights[HEAD]),
    }
    assert found == pytest.approx(expected, rel=1e-6)
    assert divergence(np.eye(3), np.eye(3)) == 0
    assert divergence(np.eye(3), np.roll(np.eye(3), 1, axis=1)) == pytest.approx(np.log(2))


def test_long_texts_are_packed_in_coarser_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    maps = [made_maps()]
    finest = pack(maps)
    assert finest.steps == packing.STEPS[0]
    monkeypatch.setattr(packing, "MOST_BYTES", finest.bytes - 1)
    assert pack(maps).steps == packing.STEPS[1]


def test_a_head_by_its_address_shows_each_word_with_its_numbers(
    visit: Callable, sentence: tuple[list[SentenceMaps], Path]
) -> None:
    (before, after), path = sentence
    tab = visit(page=path, at="#L1H2")
    views = tab.locator(".views .attention")
    views.nth(1).wait_for()
    assert tab.locator("#head-name").inner_text() == "L1H2"
    chips = views.first.locator(".words").first.locator("button")
    chips.nth(2).click()
    for view, maps in zip(views.all(), (before, after), strict=True):
        row, column = maps.word_weights(HEAD)[2], maps.word_weights(HEAD)[:, 2]
        lines = [line.locator("small").all_inner_texts() for line in view.locator(".words").all()]
        for line, weights in zip(lines, (row, column), strict=True):
            shown = [0.0 if text == "·" else float(text) for text in line]
            assert shown == pytest.approx(weights.tolist(), abs=0.0051)
    assert chips.nth(1).locator("span").inner_text() == "<b>The</b>"

    tab.keyboard.press("ArrowRight")
    assert chips.nth(3).get_attribute("aria-pressed") == "true"
    tab.locator(".level").select_option("tokens")
    tab.wait_for_function("document.querySelectorAll('.views .words')[0].children.length === 7")
    tab.locator(".views summary").first.click()
    tab.locator(".views .weights").first.wait_for()
    cells = tab.locator(".views .weights").first.locator("tbody tr td:nth-child(2)").all_inner_texts()
    assert [float(cell) for cell in cells] == pytest.approx(before.weights[HEAD][1].tolist(), abs=0.0006)
    tab.locator(".copy-map").click()
    tab.wait_for_function("document.querySelector('.spoken')?.textContent === 'Map copied'")
    lines = tab.evaluate("navigator.clipboard.readText()").splitlines()
    assert len(lines) == 1 + 49
    assert float(lines[9].split(",")[-2]) == pytest.approx(float(before.weights[HEAD][1, 1]), abs=1e-4)

    tab.get_by_role("combobox", name="Find a head").fill("0.1")
    tab.keyboard.press("Enter")
    tab.wait_for_function("document.querySelector('#head-name').textContent === 'L0H1'")
    assert tab.url.endswith("#encoder_self.0.1")
    tab.go_back()
    tab.wait_for_function("document.querySelector('#head-name').textContent === 'L1H2'")


@pytest.mark.parametrize(("width", "dark"), [(390, True), (1280, False)])
def test_it_is_as_wide_as_the_screen_and_everybody_can_use_it(
    visit: Callable, axe: Callable, tmp_path: Path, width, dark
):
    path = tmp_path / "map.html"
    page = SentencePage("model", {"source": "The dog", "translation": "Der Hund"}, [made_maps(2, tuple(AttentionKind))])
    path.write_text(page.html(), encoding="utf-8")
    tab = visit(page=path, at="#cross.L0H1", width=width, dark=dark)
    tab.locator(".views .attention").wait_for()
    assert "encoder–decoder" in tab.locator("#head-name").inner_text()
    assert tab.locator(".views .words").nth(1).locator("button").count() == 3
    assert tab.evaluate("document.documentElement.scrollWidth") <= width
    assert axe(tab) == []
    tab.wait_for_function("[...document.querySelectorAll('.layer canvas')].every((canvas) => canvas.width > 1)")


def test_without_scripts_the_numbers_stand(visit: Callable, sentence: tuple[list[SentenceMaps], Path]) -> None:
    tab = visit(page=sentence[1], scripts=False)
    assert tab.locator("#numbers tbody tr").count() == 6
    assert "need scripts" in tab.locator("noscript").inner_text()
