import json
import re
from html.parser import HTMLParser
from pathlib import Path

import polars as pl
import pytest
from fixtures.results import CLASSIFIER, curve_of, every_mask, fill

from analysis import Analysis, analyse, read_results, write_report
from analysis.inference import Inference
from analysis.inference.multiplicity import Correction
from analysis.page.methods import methods
from analysis.tables.latex_tables import sheets
from study.record.errors import StudyError
from study.record.store import Store
from study.record.units import AttentionKind, HeadLayout

PAPER = (
    "toy_bert.md",
    "toy_bert/base.tex",
    "toy_bert/heads.tex",
    "toy_bert/table1-home.tex",
    "toy_bert/table3-away.tex",
    "toy_transformer/table2-home.tex",
    "toy_transformer/correlation.tex",
)
QUICK = Inference(resamples=199)
VOID = {"meta", "br", "hr", "img", "link", "input", "col"}


class Page(HTMLParser):
    """Checks that tags nest, and collects text and references."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: list[str] = []
        self.ids: list[str] = []
        self.references: list[str] = []
        self.words: list[str] = []
        self.feed(html)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.seen.append(tag)
        for name, value in attrs:
            if name == "id":
                self.ids.append(value)
            if name in ("src", "href", "xlink:href", "action", "data", "srcset"):
                self.references.append(value)
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if not self.open or self.open[-1] not in ("style", "script"):
            self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())


@pytest.fixture(scope="module")
def reported(tmp_path_factory) -> tuple[Analysis, Path]:
    """An analysis of a classifier and a translator on two domains each, and the page of it."""
    results = tmp_path_factory.mktemp("report") / "results"
    for seed, data in enumerate(("home", "away")):
        fill(results, "accuracy", model="toy_bert", data=data, seed=seed)
        fill(results, "bleu", model="toy_transformer", data=data, seed=seed, count=6)
    analysis = analyse(read_results(results))
    return analysis, write_report(analysis, results.parent / "out")


def test_writes_every_file_and_a_page_that_needs_nothing_else(reported):
    path = reported[1]
    out = path.parents[1]
    assert path == out / "report" / "index.html"
    names = {str(p.relative_to(out)) for p in out.rglob("*") if p.is_file()}
    for table in ("effects", "correlation", "base", "table1", "table2", "table3"):
        assert {f"tables/{table}.csv", f"tables/{table}.parquet"} <= names
    assert {"tables/paper/" + name for name in PAPER} <= {re.sub(r"-[0-9a-f]{12}", "", name) for name in names}
    figures = [name for name in names if name.endswith(".svg")]
    assert len(figures) == (4 + 2 * (1 + 1 + 1 + 1) + 2) + (4 + 2 * (1 + 3 + 3 + 1) + 2)
    html = path.read_text(encoding="utf-8")
    page = Page(html)
    assert all(reference.startswith("#") for reference in page.references)
    assert {reference[1:] for reference in page.references} <= set(page.ids)
    assert len(page.ids) == len(set(page.ids))
    assert not {"link", "img", "iframe", "object"} & set(page.seen)
    assert not re.search(r"@import|url\((?!#)", html)
    assert page.seen.count("svg") == len(figures)


def test_the_page_says_the_numbers_with_their_units(reported):
    analysis, path = reported
    text = Page(path.read_text(encoding="utf-8")).text
    for row in analysis.base.iter_rows(named=True):
        unit = "%" if row["metric"] == "accuracy" else "BLEU"
        assert f"{row['domain']}. The model scores {row['base_score']:.2f} {unit} on {row['n']} examples" in text
        assert row["signature"] in text
        assert row["setting_id"] in text
    for row in analysis.correlations.overall.iter_rows(named=True):
        r = f"{row['pearson']:.2f}".replace("-", "−")
        assert f"correlate with r = {r} over {row['heads']} heads" in text
    assert "torch 2.0" in text
    assert "Left out" not in text


def test_what_is_left_out_stands_on_the_page_escaped(make, results, tmp_path):
    make(data="home")
    masks = every_mask(CLASSIFIER)
    del masks["1" * 16]
    make(data="baseless", masks=masks)
    (results / "notes.txt").write_text("toy_<b>: fairseq cannot be installed\n\n")
    html = write_report(analyse(read_results(results), QUICK), tmp_path / "out").read_text(encoding="utf-8")
    text = Page(html).text
    assert "Left out: 2 of the stored results toy_<b>: fairseq cannot be installed toy/baseless/" in text
    assert "toy_<b>" not in html


def test_two_settings_of_one_data_set_have_names_of_their_own(make, results, tmp_path):
    first, second = make(data="home", seed=1), make(data="home", seed=2)
    make(data="away", seed=3)
    text = Page(write_report(analyse(read_results(results), QUICK), tmp_path / "out").read_text(encoding="utf-8")).text
    for store in (first, second):
        assert f"home ({store.folder.name})" in text
    assert len(list((tmp_path / "out" / "figures").rglob("figure2-*.svg"))) == 3


def test_a_base_score_alone_makes_a_page(make, results, tmp_path):
    make(masks={"1" * 16: CLASSIFIER.full()})
    analysis = analyse(read_results(results), QUICK)
    assert analysis.effects.is_empty()
    assert "0 of 16" in Page(write_report(analysis, tmp_path / "out").read_text(encoding="utf-8")).text


def test_details_of_heads_are_of_the_domains_where_heads_were_removed(make, results, tmp_path):
    """A head's dialog pairs them with the columns of the table of heads, one by one."""
    make(data="atrain", masks={"1" * 16: CLASSIFIER.full()})
    make(data="dev")
    html = write_report(analyse(read_results(results), QUICK), tmp_path / "out").read_text(encoding="utf-8")
    (details,) = re.findall(r'<script type="application/json" class="heads-data">(.*?)</script>', html, re.DOTALL)
    assert [domain["label"] for domain in json.loads(details)["domains"]] == ["dev"]
    assert html.count('<th colspan="3" class="group">') == 1


def test_level_and_correction_are_those_that_were_asked_for(make, results, tmp_path):
    curve = curve_of(CLASSIFIER.heads)
    make(curves=[curve])
    options = Inference(alpha=0.01, resamples=300, correction=Correction.none)
    analysis = analyse(read_results(results), options)
    text = Page(write_report(analysis, tmp_path / "out").read_text(encoding="utf-8")).text
    assert "the 99 % interval" in text
    assert "95 %" not in text
    assert "significant without correction over the heads" in text
    assert "after correction" not in text
    (sheets_,) = sheets(analysis).values()
    for sheet in sheets_:
        assert "99 % intervals" in sheet.note, sheet.name


def test_one_group_has_scores_and_no_intervals(make, results, tmp_path):
    make(count=3, curves=[curve_of(CLASSIFIER.heads)])
    text = Page(write_report(analyse(read_results(results), QUICK), tmp_path / "out").read_text(encoding="utf-8")).text
    assert "mean score along the curve" in text
    assert "nan" not in text.split()


def test_the_methods_say_how_all_of_it_was_made(make, results, tmp_path):
    for seed, data in enumerate(("home", "away")):
        make(data=data, seed=seed, count=90, curves=[curve_of(CLASSIFIER.heads)])
    words = methods(analyse(read_results(results), Inference(resamples=3000)))
    assert "Intervals of base scores" in words
    assert "(3,000 times, seed 0)" in words
    assert "intervals over the same groups (2,000 times)" in words
    assert "jackknives over the groups of both domains, at 95 %" in words
    assert "random halves" in words


def test_layers_of_unlike_width_and_close_calls(make, results, tmp_path):
    store: Store = make(layout=HeadLayout({AttentionKind.ENCODER_SELF: (1, 3)}), count=10)
    again = store.read().rows.with_columns(correct=1 - pl.col("correct"), margin=pl.lit(0.0)).head(2)
    store.write(again, {})
    text = Page(write_report(analyse(read_results(results), QUICK), tmp_path / "out").read_text(encoding="utf-8")).text
    assert "4 heads of encoder self-attention (4 in 2 layers)" in text
    assert "2 outcomes differed between two computations" in text


def test_a_second_report_leaves_no_figure_of_the_first(make, results, tmp_path):
    make(data="home")
    out = tmp_path / "out"
    analysis = analyse(read_results(results), QUICK)
    write_report(analysis, out)
    stale = next((out / "figures").rglob("figure1-home.svg"))
    stale.rename(stale.with_name("figure1-gone.svg"))
    assert not list((out / "figures").rglob("*.p*"))
    write_report(analysis, out, pdf=True, png=True)
    assert not list((out / "figures").rglob("figure1-gone.svg"))
    assert stale.exists()
    assert stale.with_suffix(".pdf").read_bytes().startswith(b"%PDF")
    assert stale.with_suffix(".png").read_bytes().startswith(b"\x89PNG")
    effects = analysis.effects.filter(measure="ablation")["effect"]
    assert pl.read_csv(stale.with_suffix(".csv"))["effect"].to_list() == pytest.approx(effects.to_list())


def test_an_unwritable_folder_is_an_error_in_words(make, results, tmp_path):
    make(masks={"1" * 16: CLASSIFIER.full()})
    (tmp_path / "out").write_text("a file")
    with pytest.raises(StudyError, match=r"cannot write .*/out/tables/.*: Not a directory"):
        write_report(analyse(read_results(results)), tmp_path / "out")
