"""The page says what the tables say: its main tables, read back as HTML, against the CSV files beside it."""

import re
from html.parser import HTMLParser
from pathlib import Path

import polars as pl
import pytest

from study.record.units import Head

NUMBER = re.compile(r"[+-]?(?:\d[\d,]*\.?\d*|\.\d+)")

LABELS = {"every kind": "all", "encoder self-attention": "encoder_self", "decoder self-attention": "decoder_self"}
LABELS |= {"encoder–decoder attention": "cross", "encoder self": "encoder_self", "decoder self": "decoder_self"}
LABELS |= {"encoder–decoder": "cross"}


class Tables(HTMLParser):
    """The body rows of every table, as texts of cells, by subject and by the name of the region it stands in."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.found: dict[tuple[str, str], list[list[str]]] = {}
        self.subject = self.region = ""
        self.in_body = self.in_cell = False
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        named = dict(attrs)
        if tag == "section" and "data-subject" in named:
            self.subject = named["data-subject"]
        if tag == "div" and named.get("role") == "region":
            self.region = named["aria-label"]
            self.found.setdefault((self.subject, self.region), [])
        self.in_body |= tag == "tbody"
        if self.in_body and tag == "tr":
            self.found[self.subject, self.region].append([])
        if self.in_body and tag in ("td", "th"):
            self.found[self.subject, self.region][-1].append("")
            self.in_cell = True

    def handle_endtag(self, tag):
        self.in_body &= tag != "tbody"
        self.in_cell &= tag not in ("td", "th")

    def handle_data(self, data):
        if self.in_cell:
            self.found[self.subject, self.region][-1][-1] += f" {data}"


@pytest.fixture(scope="module")
def page(shown) -> Tables:
    return Tables(shown[1].read_text(encoding="utf-8"))


@pytest.fixture(scope="module", params=["toy_bert", "toy_transformer"])
def subject(request, shown) -> str:
    """The id of each subject."""
    return table(shown, "base").filter(subject=request.param)["subject_id"][0]


def table(shown, name: str, subject: str | None = None) -> pl.DataFrame:
    """A CSV file of the report."""
    path: Path = shown[1].parent.parent / "tables" / f"{name}.csv"
    read = pl.read_csv(path, infer_schema_length=None)
    return read if subject is None else read.filter(subject_id=subject)


def name(row: dict) -> str:
    """A head counted from 0: by layer and head of the classifier, by its address of the translator."""
    return str(Head.from_row(row)) if row["subject"] == "toy_transformer" else f"L{row['layer']}H{row['head']}"


def numbers(text: str) -> list[float]:
    """Every number of a text."""
    return [float(found.replace(",", "")) for found in NUMBER.findall(text.replace("−", "-"))]


def says(cell: str, *values: float | None, digits: int = 2, scale: float = 1.0) -> None:
    """A cell has these numbers, rounded to so many digits, and no others; nothing of what is null."""
    known = [scale * value for value in values if value is not None]
    assert numbers(cell) == pytest.approx(known, abs=0.5 * 10**-digits + 1e-9), (cell, values)


def says_p(cell: str, p: float | None) -> None:
    """`.012`, or `< .001`."""
    if p is not None and p < 0.001:
        assert cell.split() == ["<", ".001"]
    else:
        says(cell, p, digits=3)


def test_base_scores(page, shown, subject):
    base, effects = table(shown, "base", subject), table(shown, "effects", subject)
    rows = page.found[subject, "Base scores"]
    assert len(rows) == base.height == 2
    for cells, row in zip(rows, base.rows(named=True), strict=True):
        single = effects.filter(setting_id=row["setting_id"], measure="ablation")
        largest = single.sort(pl.col("effect").abs(), descending=True, maintain_order=True).row(0, named=True)
        assert cells[0].strip() == row["domain"]
        says(cells[1], row["n"], digits=0)
        says(cells[2], row["base_score"], row["low"], row["high"])
        says(cells[3], row["chance"])
        assert cells[4].strip() == name(largest)
        says(cells[5], largest["effect"], largest["low"], largest["high"])
        says(cells[6], largest["detectable"])


def test_every_head(page, shown, subject):
    single = table(shown, "effects", subject).filter(measure="ablation")
    rows = page.found[subject, "Every head"]
    heads = {}
    for row in single.rows(named=True):
        heads.setdefault(name(row), []).append(row)
    assert [cells[0].strip() for cells in rows] == list(heads)
    seen = 0
    for head, *cells in rows:
        for i, row in enumerate(heads[head.strip()]):
            says(cells[3 * i], row["effect"])
            assert ("*" in cells[3 * i]) == row["significant"]
            says(cells[3 * i + 1], row["low"], row["high"])
            says_p(cells[3 * i + 2], row["p_corrected"])
            seen += 1
    assert seen == single.height == 2 * len(rows)


def test_correlations(page, shown, subject):
    found = table(shown, "correlation", subject)
    rows = page.found[subject, "Correlations"]
    assert len(rows) == found.height
    for cells, row in zip(rows, found.rows(named=True), strict=True):
        assert cells[0].strip() == f"{row['domain_a']} and {row['domain_b']}"
        if found["kind"].n_unique() > 1:
            assert LABELS[cells.pop(1).strip()] == row["kind"]
        cells.insert(1, "")
        says(cells[2], row["heads"], digits=0)
        says(cells[3], row["pearson"])
        says(cells[4], row["pearson_low"], row["pearson_high"])
        says(cells[5], row["true"])
        says(cells[6], row["true_low"], row["true_high"])
        says(cells[7], row["ceiling"])
        says(cells[8], row["share"], digits=0, scale=100)
        says(cells[9], row["spearman"])
        says(cells[10], row["kendall"])


def test_nulls_and_overlap(page, shown, subject):
    for cells, row in zip(
        page.found[subject, "Null distributions of r"],
        table(shown, "correlation_null", subject).rows(named=True),
        strict=True,
    ):
        if row["reason"]:
            assert row["reason"] in cells[2]
            continue
        says(cells[2], row["within"])
        says(cells[3], row["mean"])
        says(cells[4], row["high"])
        says_p(cells[5], row["p"])
    overlap = table(shown, "correlation_overlap", subject)
    for cells, row in zip(
        page.found[subject, "Overlap of the most important heads"], overlap.rows(named=True), strict=True
    ):
        says(cells[1], row["k"], row["heads"])
        says(cells[2], row["shared"], digits=1)
        says(cells[3], row["expected"], digits=1)
        says_p(cells[4], row["p"])


def test_layers_and_carriers(page, shown, subject):
    layers = table(shown, "correlation_by_layer", subject)
    rows = page.found[subject, "Correlations by layer"]
    assert len(rows) == layers.height
    for cells, row in zip(rows, layers.rows(named=True), strict=True):
        says(cells[0], row["layer"], digits=0)
        says(cells[-1], row["pearson"], row["pearson_low"], row["pearson_high"])
    influence = table(shown, "correlation_influence", subject)
    named = page.found[subject, "Heads that carry r, away and home"]
    sizes = influence["contribution"].abs().sort(descending=True)
    assert len(named) == 11
    for cells, size in zip(named[:-1], sizes, strict=False):
        (row,) = (row for row in influence.rows(named=True) if name(row) == cells[0].strip())
        assert abs(row["contribution"]) == pytest.approx(size)
        says(cells[1].replace(",", ""), row["effect_a"], row["effect_b"])
        says(cells[2], row["contribution"])
        says(cells[3], row["pearson_without"])
    says(named[-1][2], influence["contribution"].sum() - sum(numbers_of(influence, named)), digits=2)


def numbers_of(influence: pl.DataFrame, named: list[list[str]]) -> list[float]:
    """The exact parts of the heads that are named."""
    return influence["contribution"].gather(influence["contribution"].abs().arg_sort(descending=True)[: len(named) - 1])


def test_slices_stand_below_and_above_the_diagonal(page, shown):
    subject = table(shown, "base").filter(subject="toy_bert")["subject_id"][0]
    found = table(shown, "slices_correlation", subject).filter(kind="all")
    rows = page.found[subject, "Correlations between slices"]
    names = [cells[0].strip() for cells in rows]
    assert names == ["away/genre0", "away/genre1", "home/genre0", "home/genre1"]
    assert found.height == 6
    for row in found.rows(named=True):
        a, b = sorted((names.index(row["domain_a"]), names.index(row["domain_b"])))
        says(rows[b][a + 1], row["pearson"], row["pearson_low"], row["pearson_high"])
        says(rows[a][b + 1], row["true"], row["true_low"], row["true_high"])


def test_curves(page, shown, subject):
    found = table(shown, "curves", subject)
    several = found["kinds"].n_unique() > 1
    for cells, row in zip(page.found[subject, "Pruning curves"], found.rows(named=True), strict=True):
        where, order, share, mean, interval = [cells[0], *cells[1 + several :]]
        assert where.strip() == row["domain"]
        assert order.strip() == row["curve"] + (f" ({row['curves']} orders)" if row["curves"] > 1 else "")
        says(share, row["share"], row["share_low"], row["share_high"], digits=0, scale=100)
        says(mean, row["area"], *((row["area_lowest"], row["area_highest"]) if row["curves"] > 1 else ()))
        says(interval, row["area_low"], row["area_high"])
    differences = table(shown, "curve_contrasts", subject)
    for cells, row in zip(page.found[subject, "Differences between orders"], differences.rows(named=True), strict=True):
        for side, cell in (("a", cells[1]), ("b", cells[2])):
            assert cell.split(",")[0].strip() == row[f"curve_{side}"]
        says(cells[3], row["difference"])
        says(cells[4], row["low"], row["high"])


def test_one_head_left(page, shown, subject):
    model = table(shown, "base", subject)["subject"][0]
    found = table(shown, "table2" if model == "toy_transformer" else "table3", subject)
    seen = 0
    for domain in ("away", "home"):
        kinds = [k for k in ("encoder_self", "decoder_self", "cross") if k in set(found["kind"])]
        for cells in page.found[subject, f"One head per layer, {domain}"]:
            layer = int(cells[0])
            for i, kind in enumerate(kinds):
                row = found.filter(domain=domain, layer=layer, kind=kind).row(0, named=True)
                best, one, interval, none, between = cells[1 + 5 * i : 6 + 5 * i]
                says(best, row["best_head"], digits=0)
                says(one, row["effect"])
                says(interval, row["low"], row["high"])
                says(none, row["no_head_effect"])
                says(between, row["no_head_low"], row["no_head_high"])
                seen += 1
    assert seen == found.height
