"""Verdicts follow their rules, on results whose truth is known."""

from dataclasses import replace
from itertools import combinations, permutations

import numpy as np
import polars as pl
import pytest
from fixtures.results import CLASSIFIER, TRANSLATOR, curve_of, fill

from analysis import analyse, read_results
from analysis.correlation import CorrelationOptions, DomainEffects, correlate
from analysis.curves.order_names import papers_order
from analysis.formatting import signed
from analysis.inference import Inference
from analysis.page import ResultsPage
from analysis.page.claims import Claim, claims, claims_sentences, training_claim
from analysis.page.verdicts import (
    Finding,
    Verdict,
    at_once,
    better_than_random,
    cross_attention,
    each_head,
    one_head,
    same_heads,
)
from analysis.results.domain import Domain
from analysis.results.read import Selection
from study.record.errors import InputError

QUICK = Inference(resamples=200)


def analysed(results, weights: np.ndarray, count: int = 1200):
    fill(results, "accuracy", model="toy", data="home", count=count, weights=weights)
    analysis = analyse(read_results(results), QUICK)
    return analysis, analysis.results.domains[0]


def test_heads_that_do_nothing_can_go(results):
    analysis, domain = analysed(results, np.zeros(len(CLASSIFIER)))
    found = each_head(analysis, domain, "home")
    assert found.verdict is Verdict.HOLDS
    assert "Removing 0 of 16 heads costs significantly; 16 are shown to cost less than 0.5 points" in found.because
    assert one_head(analysis, domain, "home").verdict is Verdict.HOLDS
    assert "in 4 of 4 layers, 4 of which can do without any head" in one_head(analysis, domain, "home").because


def test_heads_that_all_matter_cannot(results):
    analysis, domain = analysed(results, np.full(len(CLASSIFIER), 0.4))
    assert each_head(analysis, domain, "home").verdict is Verdict.FAILS
    assert one_head(analysis, domain, "home").verdict is Verdict.FAILS


def test_what_was_measured_of_a_part_of_the_heads_is_no_verdict_on_all(results):
    """Five heads of sixteen that do nothing are not most of them, and one of four may not be the best of its layer."""
    weights = np.zeros(len(CLASSIFIER))
    single = [CLASSIFIER.without([head]) for head in CLASSIFIER.heads[:5]]
    alone = [CLASSIFIER.all_but(head) for head in CLASSIFIER.heads[:5]]
    masks = {CLASSIFIER.key(mask): mask for mask in (CLASSIFIER.full(), *single, *alone)}
    fill(results, "accuracy", model="toy", data="home", count=1200, weights=weights, masks=masks)
    analysis = analyse(read_results(results), QUICK)
    (domain,) = analysis.results.domains
    found = each_head(analysis, domain, "home")
    assert found.verdict is Verdict.OPEN
    assert "Removing 0 of 16 heads (5 were measured) costs significantly; 5 are shown" in found.because
    assert "in 2 of 4 layers" in one_head(analysis, domain, "home").because
    weights[:5] = 0.4
    fill(results, "accuracy", model="toy", data="away", count=1200, weights=weights, masks=masks)
    analysis = analyse(read_results(results, Selection(data=["away"])), QUICK)
    (domain,) = analysis.results.domains
    assert "in 1 the interval lies below 0" in one_head(analysis, domain, "away").because


def test_few_examples_leave_it_open(results):
    weights = np.full(len(CLASSIFIER), 0.03)
    analysis, domain = analysed(results, weights, count=30)
    assert each_head(analysis, domain, "home").verdict is Verdict.OPEN


def with_curve(domain: Domain, **options) -> Domain:
    """The domain with a curve by importance."""
    return replace(domain, curves=(*domain.curves, curve_of(CLASSIFIER.heads, **options)))


def test_an_order_from_other_data_is_judged_before_a_flattered_one(results):
    _, domain = analysed(results, np.zeros(len(CLASSIFIER)), count=9)
    assert papers_order(domain) is None
    assert papers_order(with_curve(domain, reverse=True)) is None
    assert papers_order(with_curve(domain, estimator="fisher")) is None
    own = with_curve(domain, data="home")
    assert papers_order(own) == "importance"
    assert papers_order(with_curve(own, data="train")) == "importance (from train)"


def importance(domain: Domain, **columns) -> pl.DataFrame:
    return pl.DataFrame([{"setting_id": domain.setting_id, "kinds": "all", "curve": "importance", **columns}])


@pytest.mark.parametrize(
    ("low", "high", "verdict"),
    [(-0.9, 0.1, Verdict.HOLDS), (-3.0, -1.1, Verdict.FAILS), (-3.0, -0.9, Verdict.OPEN), (-1.5, 2.0, Verdict.OPEN)],
)
def test_at_the_papers_share_the_loss_is_held_against_what_is_allowed(results, low, high, verdict):
    analysis, domain = analysed(results, np.zeros(len(CLASSIFIER)), count=9)
    domain = with_curve(domain)
    points = importance(domain, share=0.4, base_score=80.0, score=79.5, low=80 + low, high=80 + high)
    judged = at_once(replace(analysis, points=points, curves=importance(domain, within=1.0)), domain, "home")
    assert judged.verdict is verdict
    assert "With 40 % of the heads removed, by importance, the score changes by −0.50 points" in judged.because


@pytest.mark.parametrize(
    ("low", "high", "verdict"), [(0.1, 2.0, Verdict.HOLDS), (-2.0, -0.1, Verdict.FAILS), (-1.0, 1.0, Verdict.OPEN)]
)
def test_an_order_is_better_than_random_by_the_interval_of_the_difference(results, low, high, verdict):
    analysis, domain = analysed(results, np.zeros(len(CLASSIFIER)), count=9)
    domain = with_curve(domain)
    row = {"setting_id": domain.setting_id, "kinds_a": "all", "kinds_b": "all"}
    one = {"curve_a": "importance", "curve_b": "random", "difference": (low + high) / 2, "low": low, "high": high}
    other = {"curve_a": "random", "curve_b": "importance", "difference": -(low + high) / 2, "low": -high, "high": -low}
    for turned in (one, other):
        changed = replace(analysis, contrasts=pl.DataFrame([row | turned]))
        assert better_than_random(changed, domain, "home").verdict is verdict
    assert better_than_random(analysis, domain, "home") is None


@pytest.mark.parametrize(
    ("encoder", "decoder", "verdict"),
    [
        ((-9.0, -1.0), (-5.0, -0.1), Verdict.HOLDS),
        ((-9.0, -1.0), (-5.0, 0.1), Verdict.OPEN),
        ((-9.0, -1.0), (0.1, 3.0), Verdict.FAILS),
    ],
)
def test_cross_attention_is_held_against_both_self_attentions_in_pairs(results, encoder, decoder, verdict):
    fill(results, "bleu", model="toy", data="home", count=4, layout=TRANSLATOR)
    analysis = analyse(read_results(results), QUICK)
    (domain,) = analysis.results.domains
    row = {"setting_id": domain.setting_id, "curve_a": "importance", "curve_b": "importance"}
    (low, high), (other_low, other_high) = encoder, decoder
    of_encoder = {"kinds_a": "cross", "kinds_b": "encoder_self", "difference": low, "low": low, "high": high}
    of_decoder = {"kinds_a": "decoder_self", "kinds_b": "cross", "difference": 1.0}  # the other way round
    rows = pl.DataFrame([row | of_encoder, row | of_decoder | {"low": -other_high, "high": -other_low}])
    found = cross_attention(replace(analysis, contrasts=rows), domain, "home")
    assert found.verdict is verdict
    assert f"−1.00 ({signed(other_low)} to {signed(other_high)}) from that of decoder self-attention" in found.because
    assert cross_attention(replace(analysis, contrasts=rows.head(1)), domain, "home") is None


@pytest.mark.parametrize(
    ("known", "measured", "shared", "verdict"),
    [
        ((0.31, 0.9), (0.0, 0.5), 0, Verdict.HOLDS),
        ((0.3, 0.9), (0.4, 0.9), 0, Verdict.OPEN),
        ((0.1, 0.5), (0.4, 0.9), 0, Verdict.OPEN),
        ((-0.2, 0.29), (0.4, 0.9), 0, Verdict.FAILS),
        ((-0.2, 0.3), (-0.2, 0.1), 0, Verdict.OPEN),
        (None, (0.31, 0.9), 0, Verdict.HOLDS),
        (None, (0.31, 0.9), 5, Verdict.OPEN),
        (None, (-0.2, 0.1), 0, Verdict.OPEN),
        (None, (None, None), 0, Verdict.OPEN),
    ],
)
def test_the_same_heads_matter_by_the_interval_of_the_true_r(known, measured, shared, verdict):
    """Where the true r is not estimable, noise can only have lowered the measured one: it shows, and never denies."""
    low, high = known or (None, None)
    row = {"setting_a": "a", "setting_b": "b", "heads": 16, "groups_a": 9, "groups_b": 9, "shared": shared}
    row |= {"pearson": 0.5, "spearman": 0.4, "pearson_low": measured[0], "pearson_high": measured[1]}
    row |= {"true": 0.6 if known else None, "true_low": low, "true_high": high, "true_reason": "too noisy"}
    names = ("subject", "subject_id", "metric", "domain", "setting_id")
    heads = [
        DomainEffects(dict.fromkeys(names, "s") | {"setting_id": name}, CLASSIFIER.heads, np.sin(np.arange(16.0)))
        for name in "ab"
    ]
    correlations = correlate(heads, CorrelationOptions(resamples=19))
    found = same_heads(row, correlations, 0.3)
    assert found.verdict is verdict
    assert ("not estimable (too noisy)" in found.because) == (known is None)


def test_the_threshold_of_r_is_an_option_and_stands_beside_the_verdict(make, results):
    for seed, data in enumerate(("home", "away")):
        make(data=data, seed=seed, count=60, weights=np.linspace(0, 0.4, len(CLASSIFIER)))
    analysis = analyse(read_results(results), QUICK, splits=10, least_r=0.45)
    ((view, _),) = ResultsPage.of(analysis).subjects
    (claim,) = [claim for claim in view.claims if claim.short.startswith("The same heads")]
    assert claim.short == "The same heads matter elsewhere (r > 0.45)"
    assert "lies above 0.45; fails where it lies below 0.45" in claim.rule
    with pytest.raises(InputError, match="least_r is the least correlation that counts"):
        analyse(read_results(results), QUICK, least_r=1.5)


def test_training_is_judged_by_its_first_and_last_epoch():
    def line(last_low: float, last_high: float) -> pl.DataFrame:
        points = [(1.0, 0.4, 0.5, 0.4, 0.6), (1.0, 0.9, 0.1, 0.0, 0.2), (9.0, 0.4, 0.8, last_low, last_high)]
        table = pl.DataFrame(points, schema=["epoch", "share", "kept", "low", "high"], orient="row")
        same = {"domain": "valid", "curve": "importance", "band": "bootstrap", "metric": "bleu", "base_score": 20.0}
        same |= {"chance": 0.3, "reason": None}
        return table.with_columns(**{name: pl.lit(value) for name, value in same.items()})

    assert training_claim(line(0.7, 0.9)).verdicts == {Verdict.HOLDS}
    assert training_claim(line(0.5, 0.9)).verdicts == {Verdict.OPEN}
    assert training_claim(line(0.1, 0.3)).verdicts == {Verdict.FAILS}
    assert "at epoch 1 50 % (40 to 60), at epoch 9 80 %" in training_claim(line(0.7, 0.9)).findings[0].because
    assert training_claim(line(0.7, 0.9).filter(epoch=1.0)) is None
    ranges = training_claim(line(0.7, 0.9).with_columns(band=pl.lit("range")))
    assert ranges.verdicts == {Verdict.OPEN}
    assert "ranges of several curves, and no intervals" in ranges.findings[0].because
    unknown = line(0.7, 0.9).with_columns(
        reason=pl.when(pl.col("epoch") == 1).then(pl.lit("at chance")),
        **{name: pl.when(pl.col("epoch") != 1).then(name) for name in ("kept", "low", "high")},
    )
    (found,) = training_claim(unknown).findings
    assert found.verdict is Verdict.OPEN
    assert "epoch 1, whose 20.00 BLEU are not shown to be above chance (0.30 BLEU)" in found.because
    three = pl.concat([unknown, line(0.1, 0.3).filter(epoch=1.0).with_columns(epoch=pl.lit(3.0))])
    (found,) = training_claim(three).findings
    assert found.verdict is Verdict.HOLDS
    assert "at epoch 3 50 %" in found.because
    assert found.because.endswith("Left out: epoch 1, whose 20.00 BLEU are not shown to be above chance (0.30 BLEU).")


def test_the_paragraph_says_each_claim_once_by_its_verdict(results):
    analysis, domain = analysed(results, np.zeros(len(CLASSIFIER)))
    judged = claims(analysis, {"home": domain})
    assert [claim.verdicts for claim in judged] == [{Verdict.HOLDS}, {Verdict.HOLDS}]
    assert claims_sentences(judged) == (
        "Here it holds that most heads can be removed, one at a time, without a significant loss; "
        "that one head is enough in most layers."
    )


@pytest.mark.parametrize(
    "verdicts", [chosen for count in (1, 2, 3) for chosen in combinations(Verdict, count)], ids=lambda v: "+".join(v)
)
def test_the_paragraph_denies_no_verdict_of_its_table(verdicts):
    """A verdict is said where, and only where, some domain has it; in every combination."""
    for order in permutations(verdicts):
        claim = Claim(
            "Heads can go.", "Heads can go", "rule", tuple(Finding("home", verdict, "because") for verdict in order)
        )
        said = claims_sentences([claim])
        assert said.count("heads can go") == 1
        assert (Verdict.OPEN in verdicts) == ("cannot be said" in said)
        assert (Verdict.HOLDS in verdicts) == ("holds" in said)
        fails = (
            "not hold" in said or "does not on some" in said or said.startswith("It holds on some of the domains only")
        )
        assert (Verdict.FAILS in verdicts) == fails
        assert ("some of the domains" in said) == (len(verdicts) > 1)
        assert ("whether" in said) == (verdicts == (Verdict.OPEN,))


def test_what_is_said_and_what_is_judged_of_heads_that_lose_little_is_one_number(results):
    """Half of the heads do nothing: they are shown to lose less than the margin, and so in both places."""
    weights = np.where(np.arange(len(CLASSIFIER)) % 2, 0.0, 0.06)
    analysis, domain = analysed(results, weights, count=1200)
    results_page = ResultsPage.of(analysis)
    ((view, _),) = results_page.subjects
    safe = view.domains[0].measured["safe"]
    assert 0 < safe < len(CLASSIFIER)
    assert f"{safe} are shown to cost less than 0.5 points" in each_head(analysis, domain, "home").because
    page = results_page.html()
    assert page.count(f"{safe} are shown to cost less than 0.5 points") == 2
    assert "not to matter by more" not in page
