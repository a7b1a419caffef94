"""A citation has the number of its row, and what it was made of; the same way stands once."""

import json

import numpy as np
import polars as pl
import pytest
from fixtures.results import CLASSIFIER, curve_of, fill

from analysis import analyse, read_results
from analysis.formatting import decimal, signed
from analysis.inference import Inference
from analysis.page.citations import Citations
from analysis.page.methods import _chance
from study.record.metrics import metric


@pytest.fixture(scope="module")
def analysis(tmp_path_factory):
    results = tmp_path_factory.mktemp("cited")
    curves = [curve_of(CLASSIFIER.heads), curve_of(CLASSIFIER.heads[::-1], order="random")]
    weights = np.random.default_rng(0).gamma(0.5, 0.2, len(CLASSIFIER))
    for seed, data in enumerate(("home", "away")):
        fill(results, "accuracy", model="toy", data=data, seed=seed, count=60, curves=curves, weights=weights)
    return analyse(read_results(results), Inference(resamples=199))


def test_every_kind_of_number_can_be_cited(analysis):
    cite = Citations({"x": "unused"}, 0.95)
    effect, base = analysis.effects.row(0, named=True), analysis.base.row(0, named=True)
    r = analysis.correlations.overall.row(0, named=True)
    curve, contrast = analysis.curves.row(0, named=True), analysis.contrasts.row(0, named=True)
    expected = {
        cite.effect(effect): ("removing encoder_self.0.0", signed(effect["effect"])),
        cite.base(base): ("with every head", f"{base['base_score']:.2f} %"),
        cite.correlation(r): ("Pearson’s r of the effects", decimal(r["pearson"])),
        cite.curve(curve, "accuracy (%)"): ("along its pruning curve by importance", decimal(curve["area"])),
        cite.contrast(contrast, curve, "points"): ("importance minus by random", signed(contrast["difference"])),
    }
    for (said, _), parts in expected.items():
        assert all(part in said for part in parts), said
        assert "(95 % interval " in said
    ways = json.loads(cite.json)
    for way in ways:
        assert "sixteen-heads" in way
        assert "setting" in way
    assert any("199 resamples, seed 0" in way for way in ways)


def test_how_it_was_made_stands_once_and_a_number_without_interval_is_not_cited(analysis):
    cite = Citations(dict(analysis.base.select("setting_id", "signature").iter_rows()), 0.9)
    rows = analysis.effects.filter(domain="home", measure="ablation", interval="flips").rows(named=True)
    assert len({cite.effect(row)[1] for row in rows}) == 1 < len(rows)
    assert "accuracy|" in json.loads(cite.json)[0]
    row = rows[0]
    assert cite.effect(row | {"low": None, "high": None}) is None
    assert cite.attributes(None) == ""
    assert 'data-how="0"' in cite.attributes(('a "quoted" <text>', 0))
    assert "<text>" not in cite.attributes(('a "quoted" <text>', 0))
    no_head = analysis.effects.filter(measure="no_head").row(0, named=True)
    assert "removing every head of layer encoder_self.0" in cite.effect(no_head)[0]


@pytest.mark.parametrize(
    ("names", "said"),
    [
        (["loss"], "Chance is the score of a model that finds each label as likely as it is frequent."),
        (
            ["accuracy", "bleu"],
            "Chance is the score of a model’s own answers dealt out to other examples [cohen1960coefficient].",
        ),
        (
            ["bits_per_byte", "choice_accuracy", "pearson", "target_loglik"],
            "Chance is the score of a model’s own answers dealt out to other examples, and of choices the score of a "
            "model that finds every continuation equally likely.",
        ),
        (["target_accuracy", "accuracy"], "Chance is the score of a model’s own answers dealt out to other examples"),
    ],
)
def test_chance_is_said_as_it_is_computed(names, said):
    chance = [None if name in ("bits_per_byte", "target_loglik", "target_accuracy") else 1.0 for name in names]
    base = pl.DataFrame({"metric": names, "chance": chance, "above_chance": True})
    assert _chance([metric(name) for name in names], base).startswith(said)
