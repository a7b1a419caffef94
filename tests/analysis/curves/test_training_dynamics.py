"""Figure 5 from results made by hand: shares, bands and means whose values are known."""

import json
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import polars as pl
import pytest
from fixtures.results import CLASSIFIER, TRANSLATOR, classification_rows, translation_rows
from test_bands import HARM, REMOVED, curve_of

from analysis import analyse, figures, read_results
from analysis.__main__ import main
from analysis.curves.bands import ResampledCurves
from analysis.curves.training_dynamics import DYNAMICS, dynamics
from analysis.inference import Inference
from analysis.results.domain import Domain
from analysis.results.read import read_domain
from study.record.curves import write_curve
from study.record.examples import Examples
from study.record.factors import Factors
from study.record.files import read_sealed
from study.record.metrics import metric
from study.record.setting import Setting
from study.record.store import Store

COUNT = 60


def figure_5(domains: Sequence[Domain], **options) -> pl.DataFrame:
    return dynamics([ResampledCurves.of(domain, Inference(**options)) for domain in domains])


def fill_checkpoint(
    results: Path, epoch: float, *, seed: int | None = 0, harm: float = 1.0, training: str = "run", name="accuracy"
) -> Store:
    """A checkpoint whose heads are worth `harm` times HARM, pruned from the first head to the last."""
    layout = CLASSIFIER if name == "accuracy" else TRANSLATOR
    words = ["one two three four five six seven eight nine ten"] * COUNT
    ids, groups = tuple(map(str, range(COUNT))), tuple(str(i // 3) for i in range(COUNT))
    examples = Examples(ids, tuple((text,) for text in words), tuple(words), {"group": groups})
    scored = metric(name)
    weights = {"weights": f"{training}{epoch}{seed}"}
    places = (Factors(training, "home", "float32", seed, float(epoch)),)
    setting = Setting(
        f"{training}-{epoch:g}-{seed}", "home", scored.name, weights, {"n": COUNT}, scored.signature, places
    )
    store = Store(results, setting, layout, examples)
    curve = curve_of(layout.heads, layout=layout)
    rng = np.random.default_rng(int(10 * epoch))
    difficulty, worth = rng.normal(0.5, 0.5, COUNT), harm * np.resize(HARM, len(layout))
    frames = []
    for key in curve.masks:
        mask = np.array([char == "1" for char in key])
        made = classification_rows(mask, worth, difficulty) if name == "accuracy" else None
        rows = made or translation_rows(mask, worth, examples.targets, rng)
        frames.append(pl.DataFrame({"mask": [key] * COUNT, "example": ids, **rows}))
    store.write(pl.concat(frames), {"device": "cpu", "versions": {}})
    write_curve(curve, store.folder)
    return store


def test_a_checkpoint_is_known_by_its_place(results: Path) -> None:
    domain = read_domain(fill_checkpoint(results, 2.5, seed=None).folder)
    assert domain.checkpoint == Factors("run", "home", "float32", epoch=2.5)


def test_kept_is_the_score_over_that_of_the_same_checkpoint(results: Path) -> None:
    for epoch in (10, 2):
        fill_checkpoint(results, epoch)
    table = figure_5(read_results(results).domains)
    assert table.schema == pl.Schema(DYNAMICS)
    assert table["epoch"].to_list() == [2.0] * len(REMOVED) + [10.0] * len(REMOVED), "by number, not by text"
    for domain in read_results(results).domains:
        assert domain.checkpoint is not None
        rows = table.filter(epoch=domain.checkpoint.epoch)
        for removed, share, score, base, kept in rows.select(
            "removed", "share", "score", "base_score", "kept"
        ).iter_rows():
            mask = "0" * removed + "1" * (16 - removed)
            assert score == pytest.approx(100 * domain.rows.filter(mask=mask)["correct"].mean())
            assert kept == pytest.approx(score / base)
            assert share == removed / 16
    assert table.filter(removed=0)["kept"].to_list() == [1.0, 1.0]
    assert table["curves"].unique().to_list() == [1]


def test_the_interval_is_a_paired_bootstrap_over_groups(results: Path) -> None:
    """Against a loop that draws groups, sums their rows and divides, with another generator."""
    store = fill_checkpoint(results, 1)
    domain = read_domain(store.folder)
    table = figure_5([domain], resamples=2000).filter(removed=8)
    rows = {m: domain.rows.filter(mask=m).sort(pl.col("example").cast(int)) for m in ("1" * 16, "0" * 8 + "1" * 8)}
    whole, pruned = (rows[m]["correct"].to_numpy().reshape(-1, 3).sum(axis=1) for m in rows)
    rng, drawn = np.random.default_rng(99), []
    for _ in range(4000):
        chosen = rng.integers(0, len(whole), len(whole))
        drawn.append(pruned[chosen].sum() / whole[chosen].sum())
    low, high = np.percentile(drawn, [2.5, 97.5])
    assert table["low"][0] == pytest.approx(low, abs=0.015)
    assert table["high"][0] == pytest.approx(high, abs=0.015)
    assert low < table["kept"][0] < high
    assert table["band"][0] == "bootstrap"
    nothing = figure_5([domain]).filter(removed=0)
    assert (nothing["low"][0], nothing["high"][0]) == (1.0, 1.0), "nothing removed is nothing lost in every resample"


def test_seeds_are_one_line_with_their_range(results: Path) -> None:
    for seed, harm in ((0, 0.5), (1, 1.0), (2, 1.5)):
        fill_checkpoint(results, 3, seed=seed, harm=harm)
    at = figure_5(read_results(results).domains).filter(removed=8).row(0, named=True)
    each = [figure_5([domain]).filter(removed=8)["kept"][0] for domain in read_results(results).domains]
    assert (at["curves"], at["band"]) == (3, "range")
    assert at["kept"] == pytest.approx(np.mean(each))
    assert (at["low"], at["high"]) == (min(each), max(each))


def test_trainings_are_told_apart_and_other_models_left_alone(results: Path, make) -> None:
    make(model="toy")
    fill_checkpoint(results, 1, training="iwslt14_de_en", name="bleu")
    fill_checkpoint(results, 1, training="mine", name="bleu")
    table = figure_5(read_results(results).domains)
    assert table["training"].unique().sort().to_list() == ["iwslt14_de_en", "mine"]
    assert table.filter(training="iwslt14_de_en")["paper_base_score"].unique().to_list() == [3.0]
    assert table.filter(training="mine")["paper_base_score"].unique().to_list() == [None]
    assert figure_5([]).is_empty()
    assert figure_5([]).schema == pl.Schema(DYNAMICS)


def test_the_end_of_a_training_under_its_own_name_is_shown_once(results: Path) -> None:
    fill_checkpoint(results, 1)
    last = fill_checkpoint(results, 2).folder
    named = results / "run" / "home" / last.name
    shutil.copytree(last, named)
    setting = read_sealed(named / "setting.json")
    (named / "setting.json").write_text(json.dumps(setting | {"model": "run"}))
    found = analyse(read_results(results), Inference(resamples=199))
    assert found.dynamics["epoch"].unique().sort().to_list() == [1.0, 2.0]
    assert found.base["subject"].to_list() == ["run", "run-1-0"]
    assert found.curves["setting_id"].is_unique().all()
    assert [domain.model for domains in found.subjects.values() for domain in domains] == ["run"]


def test_a_base_score_of_nothing_has_no_share(results: Path) -> None:
    store = fill_checkpoint(results, 1)
    domain = read_domain(store.folder)
    nothing = replace(domain, rows=domain.rows.with_columns(correct=pl.lit(0, dtype=pl.Int64)))
    table = figure_5([nothing])
    assert table["kept"].null_count() == table["low"].null_count() == table.height
    ElementTree.fromstring(figures.dynamics(table, "t", "f/5").file)


def test_the_drawing_has_a_line_for_each_share_and_the_base_score_at_each_epoch(results: Path) -> None:
    for epoch in (1, 2, 10):
        fill_checkpoint(results, epoch)
    table = figure_5(read_results(results).domains)
    drawing = figures.dynamics(table, "run on home", "f/5")
    words = [node.text for node in ElementTree.fromstring(drawing.file).iter("{http://www.w3.org/2000/svg}text")]
    assert {"run on home", "1", "2", "10"} <= set(words)
    for base in table["base_score"].unique():
        assert f"{base:.1f}" in words
    for share in table.filter(pl.col("share") > 0)["share"].unique():
        assert f"{100 * share:.0f} %" in words
    assert figures.dynamics(table, "run on home", "f/5").svg == drawing.svg


def test_checkpoints_that_are_points_of_figure_5_alone_are_reported(results: Path, capsys) -> None:
    for epoch in (1, 3):
        fill_checkpoint(results, epoch)
    assert main(["report", str(results), "--resamples", "199"]) == 0
    assert "Checkpoints of trainings alone" in capsys.readouterr().out
    assert "training" in (results / "analysis" / "report" / "index.html").read_text(encoding="utf-8")
