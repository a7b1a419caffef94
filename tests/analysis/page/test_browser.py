"""The page in a real browser: widths, colours, keyboard, sorting, filtering, a head's examples, no scripts, print."""

import re

import polars as pl
import pytest

from analysis.effects.changes import change_counts
from analysis.formatting import signed

WIDTHS = (390, 1280)


def contrast(tab, selector: str) -> float:
    """WCAG's contrast of an element's text against the page's ground."""

    def luminance(colour: str) -> float:
        channels = [int(number) / 255 for number in re.findall(r"\d+", colour)[:3]]
        linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    colours = (
        "(s) => [getComputedStyle(document.querySelector(s)).color, getComputedStyle(document.body).backgroundColor]"
    )
    light, dark = sorted(map(luminance, tab.evaluate(colours, selector)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def effects_of(shown, data: str) -> pl.DataFrame:
    analysis, _ = shown
    return analysis.effects.filter(subject="toy_bert", domain=data, measure="ablation")


def heads(tab) -> list[str]:
    """Names of the heads that the first table shows, in its order."""
    return tab.locator(".subject").first.locator(".heads tbody tr:visible th").all_inner_texts()


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("dark", [False, True])
def test_nothing_is_wider_than_the_screen_and_everything_can_be_read(visit, width, dark):
    tab = visit(width=width, dark=dark)
    assert tab.evaluate("document.documentElement.scrollWidth") <= width
    for selector, least in ((".lead p", 7), (".note", 4.5), ("a", 4.5), ("thead th", 4.5), ("figcaption", 4.5)):
        assert contrast(tab, selector) >= least, selector
    sizes = "[...document.querySelectorAll('p, td, th, dd')].map((e) => parseFloat(getComputedStyle(e).fontSize))"
    assert min(tab.evaluate(sizes)) > 11


def test_dark_is_dark(visit):
    ground = "getComputedStyle(document.body).backgroundColor"
    assert visit(dark=True).evaluate(ground) != visit(dark=False).evaluate(ground)


def test_a_column_sorts_by_its_numbers_up_and_down(visit, shown):
    tab = visit()
    table = tab.locator(".subject").first.locator(".heads")
    header = table.locator("th[data-column='1']")  # the effect on the first domain, away
    expected = effects_of(shown, "away").sort("effect", maintain_order=True)
    order = [f"{layer + 1}.{head + 1}" for layer, head in expected.select("layer", "head").iter_rows()]
    header.get_by_role("button").click()
    assert header.get_attribute("aria-sort") == "ascending"
    assert heads(tab) == order
    header.get_by_role("button").click()
    assert header.get_attribute("aria-sort") == "descending"
    found = [effects_of(shown, "away").filter(layer=int(h[0]) - 1, head=int(h[2]) - 1)["effect"][0] for h in heads(tab)]
    assert found == sorted(found, reverse=True)


def test_a_table_is_filtered_by_name_and_kind(visit):
    tab = visit()
    first, second = tab.locator(".subject").all()
    assert heads(tab) == [f"{layer}.{head}" for layer in range(1, 5) for head in range(1, 5)]
    first.locator(".find").fill("2.3")
    assert heads(tab) == ["2.3"]
    assert first.locator(".count").inner_text() == "1 of 16 heads"
    first.locator(".find").fill("2")
    assert heads(tab) == ["2.1", "2.2", "2.3", "2.4"]
    second.locator(".kind").select_option("cross")
    assert second.locator(".heads tbody tr:visible").count() == 12
    assert second.locator(".count").inner_text() == "12 of 36 heads"


def test_enter_on_a_head_shows_its_effect_and_its_examples(visit, shown):
    tab = visit()
    analysis, _ = shown
    domain = next(d for d in analysis.results.domains if d.model == "toy_bert" and d.data == "away")
    counts = change_counts(analysis.changes[domain.setting_id]).sort("lost", descending=True)
    kind, layer, head, lost, gained, other = counts.row(0)
    tab.locator(f"tr[data-head='{kind}.{layer}.{head}'] button").first.focus()
    tab.keyboard.press("Enter")
    dialog = tab.get_by_role("dialog")
    assert dialog.is_visible()
    assert dialog.locator("h2").inner_text() == f"layer {layer + 1}, head {head + 1}"
    part = dialog.locator("section").first
    assert part.locator("h3").inner_text() == "away"
    assert (
        f"{lost} example{'' if lost == 1 else 's'} came out worse without it, {gained} better, {other} otherwise"
        in part.inner_text()
    )
    effect = effects_of(shown, "away").filter(layer=layer, head=head)["effect"][0]
    assert signed(effect) in part.inner_text()
    part.locator("summary").click()
    first = analysis.changes[domain.setting_id].filter(kind=kind, layer=layer, head=head).row(0, named=True)
    text = domain.examples.filter(example=first["example"])["text_1"][0]
    assert text in part.locator("li").first.inner_text()
    tab.keyboard.press("Escape")
    assert not dialog.is_visible()
    assert tab.evaluate("document.activeElement.className") == "head"


def test_arrows_lead_to_the_next_head_and_a_cell_of_a_heat_map_opens_its_own(visit):
    tab = visit()
    tab.locator(".subject").first.locator(".panel [data-head='encoder_self.1.2']").first.click()
    name = tab.locator("dialog h2")
    assert name.inner_text() == "layer 2, head 3"
    tab.keyboard.press("ArrowRight")
    assert name.inner_text() == "layer 2, head 4"
    tab.keyboard.press("ArrowLeft")
    tab.keyboard.press("ArrowLeft")
    assert name.inner_text() == "layer 2, head 2"
    tab.locator("dialog .close").click()
    assert not tab.get_by_role("dialog").is_visible()


def test_of_a_translation_the_examples_are_sentences_with_both_outputs(visit, shown):
    tab = visit()
    analysis, _ = shown
    domain = next(d for d in analysis.results.domains if d.model == "toy_transformer" and d.data == "away")
    first = analysis.changes[domain.setting_id].filter(kind="cross", layer=0, head=0).row(0, named=True)
    tab.locator("tr[data-head='cross.0.0'] button").click()
    assert tab.locator("dialog h2").inner_text() == "encoder–decoder attention, layer 1, head 1"
    part = tab.locator("dialog section").first
    part.locator("summary").click()
    shown_text = part.locator("li").first.inner_text()
    assert first["was"] in shown_text
    assert first["now"] in shown_text


def test_without_scripts_the_page_is_whole(visit):
    tab = visit(scripts=False)
    assert len(heads(tab)) == 16
    assert not tab.locator(".tools").first.is_visible()
    assert not tab.locator("dialog").is_visible()
    assert not tab.locator(".scripted").first.is_visible()
    assert tab.locator("svg").count() > 10


def test_on_paper_no_table_is_cut_off(visit):
    tab = visit(width=680)  # A4 less its margins
    tab.emulate_media(media="print")
    assert tab.evaluate("document.documentElement.scrollWidth") <= 680
    assert not tab.locator(".tools").first.is_visible()
    heights = "[...document.querySelectorAll('.scroll')].map((e) => [e.scrollHeight, e.clientHeight])"
    assert all(whole <= seen + 1 for whole, seen in tab.evaluate(heights))
