"""Two models of the same heads: their page says what the table says, from one results folder or two."""

import re

import numpy as np
import polars as pl
from fixtures.results import CLASSIFIER, fill

from analysis import analyse, read_results
from analysis.__main__ import main
from analysis.inference import Inference
from analysis.page.sections.across.comparison import Comparison


def made(results, model: str, seed: int = 0, **options) -> None:
    weights = np.random.default_rng(seed).gamma(0.5, 0.2, len(CLASSIFIER))
    fill(results, "accuracy", model=model, data="home", count=60, weights=weights, weights_file=f"w{seed}", **options)


def test_the_models_of_two_folders_stand_on_one_page(tmp_path, capsys):
    made(tmp_path / "a", "toy", 1)
    made(tmp_path / "b", "toy", 2)
    made(tmp_path / "b", "other", 1)  # the setting of a's toy under another name
    out = tmp_path / "out"
    options = ["--compare", str(tmp_path / "b"), "--out", str(out), "--resamples", "199", "--pdf"]
    assert main([str(tmp_path / "a"), *options]) == 0
    html = (out / "report" / "index.html").read_text(encoding="utf-8")
    assert re.findall(r'class="subject"[^>]*data-label="([^"]*)"', html) == ["toy in a", "toy in b"]
    (section,) = re.findall(r'<details class="fold comparison".*?</details>', html, re.DOTALL)
    table = pl.read_csv(out / "tables" / "differences.csv")
    rows = re.findall(r'<tr data-head="(.*?)".*?</tr>', section, re.DOTALL)
    assert rows == [f"encoder_self.{row['layer']}.{row['head']}" for row in table.rows(named=True)]
    values = [float(value) for value in re.findall(r'<td class="n[^>]*data-value="(.*?)"', section)]
    assert values == [number for row in table.select("effect_a", "effect_b", "difference").rows() for number in row]
    assert "toy in b minus toy in a" in section
    pdfs = re.findall(r'data-pdf="(.*?)"', html)
    assert len(pdfs) == html.count("data-drawing=") > 4
    assert all((out / "report" / pdf).resolve().is_file() for pdf in pdfs)
    assert "../figures/compared/" in "".join(pdfs)


def test_models_that_cannot_be_compared_have_no_section(results):
    made(results, "toy", 1)
    assert Comparison.of(analyse(read_results(results), Inference(resamples=199))) is None
