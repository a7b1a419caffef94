"""Pruning curves from results made by hand: every point, area and share is known."""

import io
import re
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import polars as pl
import pytest
from fixtures.results import CLASSIFIER, TRANSLATOR, USUAL, curve_of, every_mask
from rich.console import Console

from analysis import analyse, figures, read_results, write_report
from analysis.curves.area_under_curve import contrasts, curve_summary
from analysis.curves.bands import ResampledCurves, curve_points, mean_curves
from analysis.curves.order_names import order_name
from analysis.inference import Inference
from analysis.results.domain import Domain
from analysis.results.read import read_domain
from analysis.terminal import curve_table
from study.record.curves import Curve, write_curve
from study.record.errors import InputError
from study.record.importance import Estimator
from study.record.orders import Steps
from study.record.store import Store
from study.record.units import AttentionKind, HeadLayout, UnitLevel

REMOVED = Steps.paper.counts(16, 16)
HARM = np.linspace(0.0, 0.15, 16)
"""What each head of the made classifier is worth, more for later ones."""


def fill_curves(make, *curves: Curve, layout=CLASSIFIER, name="accuracy", **options) -> Store:
    return make(name, masks=every_mask(layout), curves=curves, **options)


@pytest.fixture
def store(make) -> Store:
    heads = list(CLASSIFIER.heads)
    rng = np.random.default_rng(0)
    shuffled = [[heads[i] for i in rng.permutation(16)] for _ in range(3)]
    randoms = [curve_of(order, order="random", seed=seed) for seed, order in enumerate(shuffled)]
    return fill_curves(make, curve_of(heads), curve_of(heads[::-1], reverse=True), *randoms, weights=HARM, count=60)


def test_points_are_the_scores_of_their_masks(store: Store) -> None:
    domain = read_domain(store.folder)
    points = curve_points(ResampledCurves.of(domain)).filter(curve="importance")
    assert points["removed"].to_list() == REMOVED
    assert points["share"].to_list() == pytest.approx([count / 16 for count in REMOVED])
    for row in points.iter_rows(named=True):
        mask = CLASSIFIER.key(CLASSIFIER.without(CLASSIFIER.heads[: row["removed"]]))
        assert row["score"] == pytest.approx(100 * domain.rows.filter(mask=mask)["correct"].mean())


def test_area_and_share_by_hand(store: Store) -> None:
    drawn = ResampledCurves.of(read_domain(store.folder))
    points, summary = curve_points(drawn), curve_summary(drawn, within=10.0)
    assert summary["curve"].to_list() == ["importance", "importance, reversed", "random"]
    forward = points.filter(curve="importance")
    share, score = forward["share"].to_list(), forward["score"].to_list()
    steps = range(len(share) - 1)
    area = sum((share[i + 1] - share[i]) * (score[i] + score[i + 1]) / 2 for i in steps)
    row = summary.row(0, named=True)
    assert row["area"] == pytest.approx(area)
    first_below = next(i for i, value in enumerate(score) if value < score[0] - 10)
    assert row["share"] == share[first_below - 1]
    assert summary["area"][0] > summary["area"][2] > summary["area"][1], "best order, random, worst order"
    assert summary["area_lowest"][2] < summary["area"][2] < summary["area_highest"][2]
    assert (summary["area_low"] < summary["area"]).all()
    assert (summary["area"] < summary["area_high"]).all()
    assert summary["curves"].to_list() == [1, 1, 3]


def by_loop(domain: Domain, resamples: int = 2000) -> dict[str, np.ndarray]:
    """Accuracy of every mask on resamples of the examples, one by one."""
    ids = domain.examples["example"].to_list()
    right = {key: dict(rows.select("example", "correct").iter_rows()) for (key,), rows in domain.rows.group_by("mask")}
    table = {key: np.array([row[i] for i in ids]) for key, row in right.items()}
    rng = np.random.default_rng(7)
    draws = [rng.integers(len(ids), size=len(ids)) for _ in range(resamples)]
    return {key: np.array([100 * values[at].mean() for at in draws]) for key, values in table.items()}


def test_intervals_are_those_of_a_plain_bootstrap(store: Store) -> None:
    domain = read_domain(store.folder)
    drawn = ResampledCurves.of(domain, Inference(groups="example"))
    scores, base = by_loop(domain), CLASSIFIER.full_key
    bounds = [2.5, 97.5]

    points = curve_points(drawn).filter(curve="importance", removed=8).row(0, named=True)
    mask = CLASSIFIER.key(CLASSIFIER.without(CLASSIFIER.heads[:8]))
    expected = points["base_score"] + np.percentile(scores[mask] - scores[base], bounds)
    assert (points["low"], points["high"]) == pytest.approx(expected, abs=2.0)

    def areas(curve: Curve) -> np.ndarray:
        share = np.array(curve.removed) / 16
        along = np.array([scores[mask] for mask in curve.masks])
        return ((along[1:] + along[:-1]) / 2 * np.diff(share)[:, None]).sum(0)

    lines = {key[1]: [areas(curve) for curve in curves] for key, curves in drawn.lines.items()}
    summary = {row["curve"]: row for row in curve_summary(drawn).iter_rows(named=True)}
    for name, seeds in lines.items():
        low, high = np.percentile(np.mean(seeds, axis=0), bounds)
        assert (summary[name]["area_low"], summary[name]["area_high"]) == pytest.approx((low, high), abs=1.0)
    table = contrasts(drawn)
    assert table.height == 3
    row = table.filter(curve_a="importance", curve_b="random").row(0, named=True)
    assert row["difference"] == pytest.approx(summary["importance"]["area"] - summary["random"]["area"])
    expected = np.percentile(lines["importance"][0] - np.mean(lines["random"], axis=0), bounds)
    assert (row["low"], row["high"]) == pytest.approx(expected, abs=1.0)
    assert row["low"] > 0, "the best order beats chance"


def test_the_share_that_can_go_has_an_interval(store: Store) -> None:
    drawn = ResampledCurves.of(read_domain(store.folder))
    for row in curve_summary(drawn, within=10.0).iter_rows(named=True):
        assert 0 <= row["share_low"] <= row["share"] <= row["share_high"] <= 1
    everything = curve_summary(drawn, within=100.0)
    assert everything.select("share", "share_low", "share_high").rows() == [(1.0, 1.0, 1.0)] * 3


def test_orders_of_the_same_kinds_and_kinds_of_the_same_order_are_compared(make) -> None:
    kinds = list(TRANSLATOR.counts)[:2]
    own = [[head for head in TRANSLATOR.heads if head.kind is kind] for kind in kinds]
    curves = [curve_of(heads, kinds=(str(k),), layout=TRANSLATOR) for k, heads in zip(kinds, own, strict=True)]
    curves.append(curve_of(own[0][::-1], kinds=(str(kinds[0]),), layout=TRANSLATOR, reverse=True))
    store = fill_curves(make, *curves, layout=TRANSLATOR, name="bleu", count=6)
    drawn = ResampledCurves.of(read_domain(store.folder))
    table = contrasts(drawn)
    first, second = map(str, kinds)
    compared = {
        frozenset([row[:2], row[2:]]) for row in table.select("kinds_a", "curve_a", "kinds_b", "curve_b").rows()
    }
    reverse = (first, "importance, reversed")
    assert compared == {
        frozenset([(first, "importance"), (second, "importance")]),
        frozenset([(first, "importance"), reverse]),
    }
    row = table.filter(pl.col("kinds_a") != pl.col("kinds_b")).row(0, named=True)
    a, b = (
        np.array([np.trapezoid(scores, curve.removed) / curve.heads for scores in drawn.along(curve)])
        for (curve,) in (drawn.lines[row[f"kinds_{side}"], "importance"] for side in "ab")
    )
    assert row["difference"] == pytest.approx((a - b)[0])
    assert (row["low"], row["high"]) == pytest.approx(np.percentile((a - b)[1:], [2.5, 97.5]))


def test_seeds_make_one_curve_with_a_band(store: Store) -> None:
    points = curve_points(ResampledCurves.of(read_domain(store.folder))).filter(order="random")
    means = mean_curves(points)
    assert means.height == len(REMOVED)
    at = points.filter(removed=8)["score"]
    row = means.filter(share=0.5).row(0, named=True)
    assert (row["low"], row["high"], row["curves"]) == (at.min(), at.max(), 3)
    assert row["score"] == pytest.approx(at.mean())


def test_a_curve_that_lacks_outcomes_is_left_out_and_named(make) -> None:
    store = make()
    write_curve(curve_of(CLASSIFIER.heads), store.folder)
    domain = read_domain(store.folder)
    drawn = ResampledCurves.of(domain)
    assert curve_points(drawn).is_empty()
    assert curve_summary(drawn).is_empty()
    assert contrasts(drawn).is_empty()
    assert "pruning curves that lack outcomes are not drawn: 1 of 1 (importance)" in domain.left_out


def test_a_curve_of_fewer_examples_is_one_line_and_names_none_of_its_masks(make) -> None:
    curve = curve_of(CLASSIFIER.heads[::-1])
    store = fill_curves(make, curve, count=20)
    rows = store.read().rows
    inner = [mask for mask in curve.masks if 1 < mask.count("1") < 12]
    few = pl.col("mask").is_in([*inner, CLASSIFIER.key(CLASSIFIER.without(CLASSIFIER.heads[:1]))])
    next(store.folder.glob("part-*")).unlink()
    store.write(rows.filter(~few | pl.col("example").is_in([f"home-{i}" for i in range(7)])), {})
    assert read_domain(store.folder).left_out == (
        "pruning curves that lack outcomes are not drawn: 1 of 1 (importance); 1 mask lacks examples that the base "
        "score has (20): encoder_self.0.0 off (7); a job that was stopped goes on "
        "when it is run again; if they were run with data.limit=7, `--limit home=7` shows them",
    )


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({}, "importance"),
        ({"estimator": "fisher"}, "importance (estimator fisher)"),
        ({"data": "train"}, "importance (from train)"),
        ({"data": "home", "reverse": True}, "importance, reversed"),
        ({"allow_empty_layers": False}, "importance (a head kept in each layer)"),
    ],
)
def test_orders_in_words(options: dict[str, object], words: str) -> None:
    assert order_name(replace(curve_of(CLASSIFIER.heads), options={**USUAL, **options}), "home") == words


def test_the_paper_s_reading_stands_beside_the_paper_s_subject_alone(make) -> None:
    curve = curve_of(CLASSIFIER.heads)
    for model, expected in (("bert_mnli", 0.4), ("toy", None)):
        store = fill_curves(make, curve, model=model, data="mnli_matched")
        summary = curve_summary(ResampledCurves.of(read_domain(store.folder)))
        assert summary["paper_share"].to_list() == [expected]


def test_the_page_shows_figures_3_and_4_and_the_numbers(make, results: Path, tmp_path: Path) -> None:
    kinds = list(TRANSLATOR.counts)
    own = [[head for head in TRANSLATOR.heads if head.kind is kind] for kind in kinds]
    curves = [curve_of(heads, kinds=(str(k),), layout=TRANSLATOR) for k, heads in zip(kinds, own, strict=True)]
    curves.append(curve_of(TRANSLATOR.heads, layout=TRANSLATOR))
    fill_curves(make, *curves, layout=TRANSLATOR, name="bleu", count=6)
    analysis = analyse(read_results(results), within=5.0)
    html = write_report(analysis, tmp_path / "out").read_text(encoding="utf-8")
    text = re.sub(r"<[^>]+>|\s+", " ", html)
    assert analysis.curves["kinds"].to_list().count("all") == 1
    for row in analysis.curves.iter_rows(named=True):
        assert f"{row['area']:.2f}" in text
    assert "more than 5 BLEU below the base" in text
    names = {path.name for path in (tmp_path / "out" / "figures").rglob("*.svg")}
    assert {"figure3-home.svg", "figure4-home-importance.svg"} <= names
    for name in ("curves", "curve_points", "taylor"):
        assert (tmp_path / "out" / "tables" / f"{name}.csv").is_file()


def test_a_panel_of_curves_is_well_formed(store: Store) -> None:
    means = mean_curves(curve_points(ResampledCurves.of(read_domain(store.folder))))
    drawing = figures.pruning_curves(means, "curve", "a<b", "f/3")
    words = [node.text for node in ElementTree.fromstring(drawing.file).iter("{http://www.w3.org/2000/svg}text")]
    assert {"importance", "importance, reversed", "random", "a<b", "heads removed (%)"} <= set(words)
    assert figures.pruning_curves(means, "curve", "a<b", "f/3").svg == drawing.svg


def test_curves_of_groups_layers_and_mlps_say_of_what_their_shares_are(make) -> None:
    kind = AttentionKind.DECODER_SELF
    layout = HeadLayout({kind: (4, 4)}, groups={kind: (2, 2)}, mlps=(0, 1))
    curves = []
    for level in UnitLevel:
        units = layout.units(level)
        masks = tuple(layout.key(layout.without(units[:count])) for count in range(len(units) + 1))
        counts, names = tuple(range(len(masks))), tuple(map(str, units))
        options = {**USUAL, "normalisation": str(Estimator.paper.normalisation(level))}
        curves.append(Curve("importance", options, (), len(units), counts, masks, 30, names, level))
    base = {layout.full_key: layout.full()}
    store = make("accuracy", layout=layout, masks=base, curves=curves, weights=np.full(layout.width, 0.1))
    domain = read_domain(store.folder)
    points = curve_points(ResampledCurves.of(domain))
    named = {"importance": 8, "importance (groups)": 4, "importance (layers)": 2, "importance (MLPs)": 2}
    assert dict(points.select("curve", "units").unique().iter_rows()) == named
    for name, level in zip(named, UnitLevel, strict=True):
        own = points.filter(curve=name)
        assert own["kinds"].unique().to_list() == ["mlp" if level is UnitLevel.mlp else "all"]
        for row in own.iter_rows(named=True):
            mask = layout.key(layout.without(layout.units(level)[: row["removed"]]))
            assert row["score"] == pytest.approx(100 * domain.rows.filter(mask=mask)["correct"].mean())
            assert row["share"] == row["removed"] / named[name]
    means = mean_curves(points.filter(kinds="mlp"))
    drawing = figures.pruning_curves(means, "kinds", "home", "f/4")
    words = [node.text for node in ElementTree.fromstring(drawing.file).iter("{http://www.w3.org/2000/svg}text")]
    assert {"MLPs removed (%)", "MLPs", "every MLP"} <= set(words)


def test_the_terminal_shows_a_row_for_each_order(store: Store) -> None:
    curves = curve_summary(ResampledCurves.of(read_domain(store.folder)), within=10.0)
    console = Console(width=150, record=True, file=io.StringIO())
    console.print(curve_table(curves))
    text = console.export_text()
    for row in curves.iter_rows(named=True):
        assert row["curve"] in text
        assert f"{row['area']:.2f} [{row['area_low']:.2f}, {row['area_high']:.2f}]" in text
    assert "can go for 10" in text
    assert "random × 3" in text


def test_a_single_group_has_no_interval(store: Store) -> None:
    domain = read_domain(store.folder)
    one = replace(domain, examples=domain.examples.with_columns(group=pl.lit("same")))
    points, summary = curve_points(ResampledCurves.of(one)), curve_summary(ResampledCurves.of(one))
    assert points["score"].to_list() == curve_points(ResampledCurves.of(domain))["score"].to_list()
    for table, column in ((points, "low"), (points, "high"), (summary, "area_low"), (summary, "share_high")):
        assert table[column].null_count() == table.height


@pytest.mark.parametrize("within", [-1.0, float("nan"), float("inf")])
def test_a_loss_is_not_negative(store: Store, within: float) -> None:
    with pytest.raises(InputError, match="0 or more"):
        curve_summary(ResampledCurves.of(read_domain(store.folder)), within)
