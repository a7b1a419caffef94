"""The page of a regression: outputs and targets in place of labels."""

import json
import re
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from fixtures.results import CLASSIFIER, every_mask

from analysis import Inference, analyse, read_results, write_report
from study.record.examples import Examples
from study.record.factors import Factors
from study.record.metrics import metric
from study.record.metrics.numbers import PER_UNIT
from study.record.setting import Setting
from study.record.store import Store


def fill_regression(results: Path, count: int = 45) -> None:
    """Outputs that are noisier the more the heads weigh that are off."""
    rng = np.random.default_rng(0)
    targets, weights = np.round(rng.uniform(0, 5, count), 2), rng.gamma(0.4, 0.5, len(CLASSIFIER))
    texts = tuple((f"sentence {i}", f"another {i}") for i in range(count))
    examples = Examples(tuple(map(str, range(count))), texts, tuple(map(repr, targets.tolist())))
    places = (Factors("regressor", "similarity", "float32"),)
    about = {"weights": "w"}, {"sha256": examples.digest}
    setting = Setting("regressor", "similarity", "pearson", *about, metric("pearson").signature, places)
    store, noise, frames = Store(results, setting, CLASSIFIER, examples), rng.standard_normal(count), []
    for key, mask in every_mask(CLASSIFIER).items():
        outputs = targets + (0.5 + weights[~mask].sum()) * noise
        columns = {"output": np.rint(outputs * PER_UNIT).astype(np.int64), "loss": np.square(outputs - targets)}
        rows = {"mask": [key] * count, "example": examples.ids, **columns, "margin": np.full(count, np.inf)}
        frames.append(pl.DataFrame(rows).cast({"loss": pl.Float32, "margin": pl.Float32}))
    store.write(pl.concat(frames), {"device": "cpu", "versions": {"torch": "2.0"}})


def test_the_page_of_a_regression_speaks_of_outputs(tmp_path: Path) -> None:
    fill_regression(tmp_path)
    analysis = analyse(read_results(tmp_path), Inference(resamples=99), splits=8)
    page = write_report(analysis, tmp_path / "out").read_text()
    (found,) = re.findall(r'class="heads-data">(.*?)</script>', page, re.DOTALL)
    about = json.loads(found)
    (domain,) = about["domains"]
    assert (about["labelled"], about["unit"], domain["names"]) == (False, "points", ["text 1", "text 2"])
    assert domain["flips"] == {}
    assert all(float(answer) for answer in domain["answers"])
    assert domain["splits"][0]["by"] == "gold score"
    assert "Pearson" in page
    assert "premise" not in page.rpartition("Glossary")[0]
    assert "translation" not in page.rpartition("Glossary")[0]
    base = analysis.base.row(0, named=True)
    outputs = analysis.results.domains[0].rows.filter(mask=CLASSIFIER.full_key)["output"] / PER_UNIT
    targets = analysis.results.domains[0].examples["target"].cast(pl.Float64)
    assert base["base_score"] == pytest.approx(100 * np.corrcoef(outputs, targets)[0, 1], abs=1e-4)
