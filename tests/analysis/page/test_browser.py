"""The page in a real browser: it reads, and scripts find, link, copy, sort, save, cite and compare, by keyboard too."""

import csv
import io
import re
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from fixtures.results import fill_replaced

from analysis import Inference, analyse, read_results, write_report
from analysis.__main__ import main
from analysis.effects.changes import change_counts
from analysis.formatting import signed

WIDTHS = (390, 1280)
HEAD = "encoder_self.1.2"


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


def effects_of(shown, data: str, subject: str = "toy_bert") -> pl.DataFrame:
    return shown[0].effects.filter(subject=subject, domain=data, measure="ablation")


def domain_of(shown, subject: str, data: str = "away"):
    return next(d for d in shown[0].results.domains if (d.model, d.data) == (subject, data))


def heads(tab) -> list[str]:
    """Addresses of the heads that the first table shows, in its order."""
    rows = tab.locator(".subject").first.locator(".heads tbody tr:visible")
    return rows.evaluate_all("rows => rows.map((row) => row.dataset.head)")


def clipboard(tab) -> str:
    return tab.evaluate("navigator.clipboard.readText()")


def saved(tab, panel, name: str) -> bytes:
    """The file that an entry of the menu of a figure saves."""
    panel.scroll_into_view_if_needed()
    panel.hover()
    panel.get_by_role("button", name="Save").click()
    with tab.expect_download() as download:
        panel.locator(".menu").get_by_role("button", name=name, exact=True).click()
    return Path(download.value.path()).read_bytes()


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("dark", [False, True])
def test_nothing_is_wider_than_the_screen_and_everything_can_be_read(visit, width, dark):
    tab = visit(width=width, dark=dark)
    assert tab.evaluate("document.documentElement.scrollWidth") <= width
    for selector, least in ((".lead p", 7), (".note", 4.5), ("a", 4.5), ("thead th", 4.5), ("figcaption", 4.5)):
        assert contrast(tab, selector) >= least, selector
    sizes = "[...document.querySelectorAll('p, td, th, dd')].map((e) => parseFloat(getComputedStyle(e).fontSize))"
    assert min(tab.evaluate(sizes)) > 11
    dark_ground = "getComputedStyle(document.body).backgroundColor"
    assert (sum(map(int, re.findall(r"\d+", tab.evaluate(dark_ground))[:3])) < 200) == dark


@pytest.mark.parametrize("width", [760, 1280])
def test_no_link_is_cut(visit, width, results):
    """Replacements have long names: the bars take a second line."""
    for label in (None, "mean", "mean by position", "value bias", "uniform"):
        fill_replaced(results, label, np.full(16, 0.05), options={"label": label}, count=60)
    analysis = analyse(read_results(results), Inference(resamples=99), splits=4, axes=["replacement"])
    page = write_report(analysis, results.parent / f"out{width}")
    tab = visit(width=width, page=page)
    assert tab.locator("select[data-picker] option").first.inner_text() == "toy, replacement zero"
    cut = "(e) => e.scrollWidth > e.clientWidth + 1 || e.getBoundingClientRect().right > innerWidth"
    for nav in tab.locator("nav:visible").all():
        assert not nav.evaluate(cut), nav.inner_text()
    bar = tab.locator(".bar").bounding_box()["height"]
    assert bar > 60
    assert tab.evaluate("document.documentElement.style.getPropertyValue('--bar')") == f"{bar:.0f}px"


def test_a_table_sorts_filters_and_copies_itself_as_it_is_shown(visit, shown):
    tab = visit()
    first, second = tab.locator(".subject").all()
    every = [f"encoder_self.{layer}.{head}" for layer in range(4) for head in range(4)]
    assert heads(tab) == every
    header = first.locator(".heads thead tr:last-child th", has_text="effect").first
    header.get_by_role("button").click()
    assert header.get_attribute("aria-sort") == "ascending"
    effects = effects_of(shown, "away").sort("effect", maintain_order=True)
    assert heads(tab) == [f"encoder_self.{layer}.{head}" for layer, head in effects.select("layer", "head").iter_rows()]
    header.get_by_role("button").click()
    assert header.get_attribute("aria-sort") == "descending"
    numbers = dict(
        zip(map("encoder_self.{}.{}".format, effects["layer"], effects["head"]), effects["effect"], strict=True)
    )
    found = [numbers[head] for head in heads(tab)]
    assert found == sorted(found, reverse=True)
    first.locator(".certain").check()
    significant = effects_of(shown, "away")["significant"] | effects_of(shown, "home")["significant"]
    assert len(heads(tab)) == significant.sum()
    assert first.locator(".count").inner_text() == f"{significant.sum()} of 16 heads"
    first.locator(".certain").uncheck()
    second.locator(".kind").select_option("cross")
    assert second.locator(".heads tbody tr:visible").count() == 12

    wide = first.locator(".wide", has=tab.locator(".heads"))
    wide.get_by_role("button", name="Table:").or_(wide.locator(".opens")).first.click()
    wide.get_by_role("button", name="Filter rows").click()
    tab.keyboard.type(signed(found[0]))
    assert heads(tab)[0] == max(numbers, key=numbers.__getitem__)
    copied = {}
    for form in ("CSV", "Markdown", "LaTeX"):
        wide.locator(".opens").click()
        wide.get_by_role("button", name=f"Copy as {form}").click()
        tab.wait_for_function("form => document.querySelector('.spoken')?.textContent.startsWith(form)", arg=form)
        copied[form] = clipboard(tab)
    table = list(csv.reader(io.StringIO(copied["CSV"])))
    assert len(table) == 1 + len(heads(tab))
    assert table[0][1] == "away effect"
    assert float(table[1][1].rstrip("*")) == pytest.approx(found[0], abs=0.005)
    assert copied["Markdown"].splitlines()[1].startswith("|---|---:|")
    assert len(copied["Markdown"].splitlines()) == len(table) + 1
    assert "\\toprule" in copied["LaTeX"]
    assert copied["LaTeX"].count(r"\\") == len(table)
    assert "−" not in copied["LaTeX"]


def test_a_head_is_found_by_any_of_its_names_and_the_dialog_has_its_address(visit, shown):
    tab = visit()
    box = tab.get_by_role("combobox", name="Find a head")
    for text, options in (("ENCODER_SELF.1.2", 2), ("l1h2", 4), ("1.2", 4), ("cross.1", 5), ("L1", 16)):
        box.fill(text)
        assert tab.locator("#found li:visible").count() == min(options, 12), text
    box.fill("cross.9.9")
    assert "No head is called “cross.9.9”" in tab.locator(".find [role=status]").inner_text()
    box.fill("decoder_self.2")  # the layer, which is called so, comes first
    tab.keyboard.press("ArrowDown")
    tab.keyboard.press("ArrowDown")
    tab.keyboard.press("Enter")
    dialog = tab.get_by_role("dialog")
    assert "decoder_self.2.1" in dialog.locator(".of").inner_text()
    assert tab.url.endswith("-decoder_self.2.1")
    for button, text in (("Copy address", "decoder_self.2.1"), ("Copy for pruning", "heads=[decoder_self.2.1]")):
        dialog.get_by_role("button", name=button).click()
        tab.wait_for_function("document.querySelector('.spoken')?.textContent.endsWith('copied')")
        assert clipboard(tab) == text
    dialog.get_by_role("button", name="Copy link").click()
    tab.wait_for_function("document.querySelector('.spoken')?.textContent === 'Link copied'")
    assert clipboard(tab) == tab.url
    again = visit(at="#" + tab.url.partition("#")[2])
    assert "decoder_self.2.1" in again.locator("dialog .of").inner_text()


def test_the_back_button_closes_a_head_and_a_link_opens_its_fold(visit):
    tab = visit()
    tab.locator(".subject").first.locator(f".panel [data-head='{HEAD}']").first.click()
    dialog = tab.get_by_role("dialog")
    assert dialog.locator("h2").inner_text() == "L1H2"
    tab.keyboard.press("ArrowRight")
    assert dialog.locator("h2").inner_text() == "L1H3"
    tab.keyboard.press("ArrowLeft")
    tab.keyboard.press("ArrowLeft")
    assert dialog.locator("h2").inner_text() == "L1H1"
    tab.go_back()
    assert not dialog.is_visible()
    assert "#" not in tab.url
    fold = "[...document.querySelectorAll('main details:not([open])')].at(-1)"
    tab.evaluate(f"{fold}.querySelector('table, p').id = 'within'")
    tab.evaluate("location.hash = 'within'")
    tab.wait_for_function("document.getElementById('within').closest('details').open")
    tab.locator("a.anchor").nth(1).click()
    tab.wait_for_function("document.querySelector('.spoken')?.textContent === 'Link copied'")
    assert clipboard(tab) == tab.url


def test_the_dialog_has_effects_parts_flips_and_examples(visit, shown):
    tab = visit()
    domain = domain_of(shown, "toy_bert")
    counts = change_counts(shown[0].changes[domain.setting_id]).sort("lost", descending=True)
    kind, layer, head, lost, gained, other = counts.filter(level="head").drop("level").row(0)
    tab.locator(f"tr[data-head='{kind}.{layer}.{head}'] button.head").first.focus()
    tab.keyboard.press("Enter")
    dialog = tab.get_by_role("dialog")
    assert dialog.locator("h2").inner_text() == f"L{layer}H{head}"
    part = dialog.locator("section").first
    assert part.locator("h3").inner_text() == "away"
    assert f"{lost} example{'' if lost == 1 else 's'} came out worse without it, {gained} better" in part.inner_text()
    assert signed(effects_of(shown, "away").filter(layer=layer, head=head)["effect"][0]) in part.inner_text()
    own = shown[0].parts.filter(setting_id=domain.setting_id, layer=layer, head=head)
    rows = part.locator(".split tbody tr").all_inner_texts()
    assert len(rows) == own.height == 5  # three labels, two genres
    for text, row in zip(rows, own.rows(named=True), strict=True):
        assert text.split("\t") == [
            row["part"],
            str(row["n"]),
            signed(row["effect"]),
            f"{signed(row['low'])} to {signed(row['high'])}",
        ]
    flips = [int(cell) for cell in part.locator(".flips td").all_inner_texts() if cell]
    assert sum(flips) == lost + gained + other
    part.locator("summary").click()
    first = shown[0].changes[domain.setting_id].filter(kind=kind, layer=layer, head=head).row(0, named=True)
    text = domain.examples.filter(example=first["example"])["text_1"][0]
    assert text in part.locator("li").first.inner_text()
    tab.keyboard.press("Escape")
    assert not dialog.is_visible()
    assert tab.evaluate("document.activeElement.className") == "head"

    domain = domain_of(shown, "toy_transformer")
    first = shown[0].changes[domain.setting_id].filter(kind="cross", layer=0, head=0).row(0, named=True)
    tab.locator("tr[data-head='cross.0.0'] button.head").click()
    assert dialog.locator("h2").inner_text() == "L0H0, encoder–decoder attention"
    part.locator("summary").click()
    assert {first["was"], first["now"]} <= set(re.findall(r"[^\n(]+(?= \()", part.locator("li").first.inner_text()))


def test_a_head_without_interval_is_not_cited_and_ids_may_begin_alike(visit):
    """A model scored by two metrics stands on the page as `id` and `id-chrf`; of one group there is no interval."""
    tab = visit()
    tab.evaluate("subjects[1].id = `${subjects[0].id}-chrf`")
    assert tab.evaluate("headAt(`${subjects[1].id}-cross.0.0`).section === subjects[1]")
    tab.evaluate(f"known(subjects[0]).domains[0].effects['{HEAD}'] = [1, null, null, 0]")
    tab.evaluate(f"openHead(subjects[0], '{HEAD}')")
    part = tab.locator("dialog section").first
    assert part.locator(".effect").inner_text().startswith("effect +1.00")
    assert part.locator("[data-cite]").count() == 0
    assert "undefined" not in tab.locator("dialog").inner_html()


def test_marks_of_figures_are_reached_by_keyboard_and_say_what_they_are(visit):
    tab = visit()
    svg = tab.locator(".subject").first.locator("svg:has([data-head])").first
    marks = svg.locator("[data-head]")
    assert svg.locator("[tabindex='0']").count() == 1
    svg.locator("[tabindex='0']").focus()
    start = tab.evaluate("document.activeElement.dataset.head")
    tab.wait_for_function("document.querySelector('.tip').textContent === document.activeElement.ariaLabel")
    tab.keyboard.press("ArrowDown")
    below = tab.evaluate("document.activeElement.dataset.head")
    assert below != start
    assert svg.locator("[tabindex='0']").count() == 1
    tab.keyboard.press("Enter")
    assert below in tab.locator("dialog .of").inner_text()
    tab.keyboard.press("Escape")
    assert tab.evaluate("document.activeElement.dataset.head") == below
    marks.nth(3).hover()
    words = marks.nth(3).get_attribute("aria-label")
    tab.wait_for_function("words => document.querySelector('.tip:popover-open')?.textContent === words", arg=words)
    assert tab.evaluate("getComputedStyle(document.querySelector('svg [data-head]')).cursor") == "pointer"
    assert not svg.locator("title").count()


def test_a_figure_is_saved_as_svg_png_and_data(visit):
    tab = visit()
    panel = tab.locator("[data-drawing*='heat-']").first
    svg = saved(tab, panel, "SVG").decode()
    assert svg.startswith("<svg")
    assert svg.count("<title>") == 16
    assert "tabindex" not in svg
    png = saved(tab, panel, "PNG")
    width = round(panel.locator("svg").bounding_box()["width"])
    assert png[:8] == b"\x89PNG\r\n\x1a\n"
    assert abs(int.from_bytes(png[16:20]) - 2 * width) <= 2
    if panel.locator("script").count():
        table = pl.read_csv(saved(tab, panel, "Data as CSV"))
        assert table.height == 16
    assert panel.get_by_role("button", name="PDF").count() == 0


def test_a_number_is_cited_with_all_that_it_came_from(visit, shown):
    tab = visit()
    row = effects_of(shown, "away").row(0, named=True)
    number = tab.locator(f"tr[data-head='encoder_self.{row['layer']}.{row['head']}'] [data-cite]").first
    table = tab.locator(".subject").first.locator(".scroll", has=tab.locator(".heads"))
    assert table.locator("[data-cite][tabindex='0']").count() == 1
    number.focus()
    tab.keyboard.press("ArrowDown")
    tab.keyboard.press("ArrowUp")
    tab.keyboard.press("Enter")
    said = tab.locator(".citation p").inner_text()
    tab.keyboard.press("Enter")
    tab.wait_for_function("document.querySelector('.spoken')?.textContent === 'Citation copied'")
    assert clipboard(tab) == said
    for part in (
        f"removing encoder_self.{row['layer']}.{row['head']} on the score of toy_bert on away",
        f"{signed(row['effect'])} {row['unit']} (95 % interval {signed(row['low'])} to {signed(row['high'])})",
        f"{row['groups']} {row['group']}s, n = {row['n']}",
        "percentile bootstrap interval" if row["interval"] == "percentile" else f"{row['interval']} interval",
        f"{row['resamples']:,} resamples, seed {row['seed']}",
        domain_of(shown, "toy_bert").signature,
        row["setting_id"],
        "sixteen-heads",
    ):
        assert part in said


def test_two_subjects_stand_side_by_side(visit):
    tab = visit()
    tab.get_by_role("button", name="Compare").click()
    tab.get_by_role("combobox", name="with").select_option(label="toy_transformer")
    tab.keyboard.press("Escape")
    boxes = [part.bounding_box() for part in tab.locator("[data-part='heads']").all()]
    assert boxes[0]["y"] == boxes[1]["y"]
    assert boxes[0]["x"] + boxes[0]["width"] <= boxes[1]["x"]
    assert "#compare/" in tab.url
    assert tab.evaluate("document.documentElement.scrollWidth") <= 1280
    tab.go_back()
    boxes = [part.bounding_box() for part in tab.locator("[data-part='heads']").all()]
    assert boxes[0]["y"] + boxes[0]["height"] <= boxes[1]["y"]
    phone = visit(width=390, at=tab.evaluate("`#compare/${subjects[0].id}/${subjects[1].id}`"))
    parts = phone.locator(".beside [data-part]:visible")
    order = parts.evaluate_all("parts => parts.map((part) => [part.getBoundingClientRect().y, part.dataset.part])")
    assert [name for _, name in sorted(order)][:2] == ["heads", "heads"]


def test_a_page_of_tables_made_elsewhere_saves_its_figures_and_opens_no_heads(visit, tmp_path):
    rows = [f"{name},{h // 4},{h % 4},{(h * 7 + 3 * len(name)) % 5}" for name in ("one", "other") for h in range(16)]
    (tmp_path / "heads.csv").write_text("\n".join(["domain,layer,head,effect", *rows]))
    assert main(["import", str(tmp_path / "heads.csv"), "--out", str(tmp_path), "--resamples", "199"]) == 0
    tab = visit(page=tmp_path / "report" / "index.html")
    assert not tab.locator(".find").is_visible()
    panel = tab.locator("[data-drawing]").first
    assert panel.locator("[data-head][role='img']").count() == 16
    panel.locator("[data-head]").first.click()
    assert not tab.locator("dialog").is_visible()
    assert saved(tab, panel, "SVG").count(b"<title>") == 16


def test_without_scripts_the_page_is_whole(visit):
    tab = visit(scripts=False)
    assert len(tab.locator(".subject").first.locator(".heads tbody tr:visible").all()) == 16
    assert not tab.locator(".tools").first.is_visible()
    assert not tab.locator("dialog").is_visible()
    assert not tab.locator(".scripted").first.is_visible()
    assert tab.locator("svg").count() > 10
    assert not tab.locator("button:visible").count()


def test_on_paper_no_table_is_cut_off(visit):
    tab = visit(width=680)  # A4 less its margins
    tab.emulate_media(media="print")
    assert tab.evaluate("document.documentElement.scrollWidth") <= 680
    assert not tab.locator(".tools").first.is_visible()
    heights = "[...document.querySelectorAll('.scroll')].map((e) => [e.scrollHeight, e.clientHeight])"
    assert all(whole <= seen + 1 for whole, seen in tab.evaluate(heights))
