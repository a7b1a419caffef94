"""Weights of examples: what they mean is told by examples that stand several times, and by strata counted by hand."""

from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from analysis import Domain, DomainEffects, analyse, read_domain, read_results
from analysis.effects.head_effects import effects
from analysis.inference import Inference, Interval, Sample, resampling
from analysis.inference.significance import PairedTest
from analysis.page.methods import methods
from analysis.results.slices import slices
from study.record.designs.jackknife import standard_error
from study.record.errors import InputError
from study.record.metrics import Accuracy

COUNT = 90
HARD = np.arange(COUNT) < 55
TIMES = np.random.default_rng(2).integers(1, 5, COUNT)
"""How often each example stands."""

QUICK = Inference(resamples=199)


def weighted(make, weights, **options) -> Domain:
    return read_domain(make(count=COUNT, example_weights=tuple(map(float, weights)), **options).folder)


def repeated(domain: Domain) -> Domain:
    """The same examples, none with a weight, each as often as `TIMES` says."""
    copies = [
        (example, f"{example}/{i}")
        for example, n in zip(domain.examples["example"], TIMES, strict=True)
        for i in range(n)
    ]
    several = pl.DataFrame(copies, schema=["example", "copy"], orient="row")

    def of(table: pl.DataFrame) -> pl.DataFrame:
        joined = table.join(several, on="example", maintain_order="left").drop("example", "weight", strict=False)
        return joined.rename({"copy": "example"})

    return replace(domain, examples=of(domain.examples), rows=of(domain.rows))


def right_of(domain: Domain, mask: str) -> np.ndarray:
    """Whether each example is right under a mask."""
    rows = domain.rows.filter(mask=mask).select("example", "correct")
    return domain.examples.join(rows, on="example", maintain_order="left")["correct"].to_numpy()


def test_post_stratified_accuracy_by_hand(make) -> None:
    """As MNLI mismatched: 4,530 of 9,832 pairs are hard; of these 55 are labelled here, of the others 35."""
    strata = np.where(HARD, 4530 / 55, 5302 / 35)
    domain = weighted(make, strata)
    full = domain.layout.full_key

    def by_hand(mask: str) -> float:
        right = right_of(domain, mask)
        return 100 * (4530 / 9832 * right[HARD].mean() + 5302 / 9832 * right[~HARD].mean())

    assert domain.sample().base_score == pytest.approx(by_hand(full), abs=1e-6)
    assert abs(domain.sample().base_score - 100 * right_of(domain, full).mean()) > 0.05
    table = effects(domain, QUICK).filter(measure="ablation")
    masks = list(map(domain.layout.key, domain.layout.each_off()))
    assert table["effect"].to_list() == pytest.approx([by_hand(mask) - by_hand(full) for mask in masks], abs=1e-6)
    assert table["n"].unique().to_list() == [COUNT]
    assert domain.signature == "accuracy|percent|weighted"


def test_a_weight_is_how_often_an_example_stands(make) -> None:
    """Scores, resamples, swaps, jackknife, correlation's deletions: all equal those of repeated examples."""
    domain = weighted(make, TIMES)
    one, other = domain.sample(), repeated(domain).sample()
    assert one.names == other.names
    assert one.scores == pytest.approx(other.scores, abs=1e-6)
    for of in (
        lambda sample: resampling.bootstrap(sample, 50, 0),
        lambda sample: resampling.swapped(sample, 50, 0),
        lambda sample: sample.effects_without_each,
    ):
        assert of(one) == pytest.approx(of(other), abs=1e-6)
    a, b = DomainEffects.of(domain), DomainEffects.of(repeated(domain))
    assert a.effects == pytest.approx(b.effects, abs=1e-6)
    assert a.without == pytest.approx(b.without, abs=1e-6)


def test_tests_and_errors_are_those_of_repeated_examples(make) -> None:
    domain = weighted(make, TIMES)
    numbers = ["effect", "standard_error", "p", "p_corrected", "detectable", "changed", "groups"]
    one, other = (effects(own, QUICK).select(numbers) for own in (domain, repeated(domain)))
    for name in numbers:
        assert one[name].to_list() == pytest.approx(other[name].to_list(), abs=1e-5), name


def test_no_interval_is_of_flips(make) -> None:
    table = effects(weighted(make, TIMES), QUICK)
    assert table["interval"].unique().to_list() == ["percentile"]
    assert "flips" in effects(read_domain(make(count=COUNT).folder), QUICK)["interval"]


def test_equal_weights_change_no_score_but_they_are_another_setting(make) -> None:
    plain, equal = read_domain(make(count=COUNT).folder), weighted(make, np.full(COUNT, 0.3))
    assert plain.setting_id != equal.setting_id
    assert plain.subject_id == equal.subject_id, "one subject on two domains"
    columns = ["measure", "layer", "head", "score", "effect", "p", "p_corrected", "changed"]
    assert effects(plain, QUICK).select(columns).equals(effects(equal, QUICK).select(columns))
    assert (plain.weighted, equal.weighted) == (False, True)
    assert plain.signature == "accuracy|percent"


def test_a_mask_that_changes_nothing_has_no_effect_in_any_order_of_rows(make) -> None:
    domain = weighted(make, np.random.default_rng(0).random(COUNT) + 0.01)
    base = domain.rows.filter(mask=domain.layout.full_key)
    keys = list(map(domain.layout.key, domain.layout.each_off()))
    copies = [
        base.with_columns(mask=pl.lit(key)).sample(fraction=1, shuffle=True, seed=i) for i, key in enumerate(keys)
    ]
    table = effects(replace(domain, rows=pl.concat([base, *copies])), QUICK)
    assert table["effect"].to_list() == [0.0] * 16
    assert table["changed"].to_list() == [0] * 16
    assert table["p"].to_list() == [1.0] * 16


def test_standard_errors_of_strata_err_to_the_careful_side() -> None:
    """Of a head that hurts the hard stratum and helps the other; sizes of strata are fixed from sample to sample."""
    rng = np.random.default_rng(0)
    weight = np.where(HARD, 4530 / 55, 5302 / 35)
    count = np.round(weight * 1000).astype(np.int64)
    found, errors = [], []
    for _ in range(2000):
        base = rng.random(COUNT) < 0.6
        lost, won = rng.random(COUNT) < np.where(HARD, 0.3, 0.0), rng.random(COUNT) < np.where(HARD, 0.0, 0.2)
        right = np.stack([base, (base & ~lost) | won]).astype(np.int64)
        sums = np.stack([right * count, np.broadcast_to(count, right.shape)], axis=-1)
        sample = Sample(("11", "01"), Accuracy(), sums, np.ones(COUNT, dtype=np.int64), tuple(map(str, range(COUNT))))
        found.append(sample.effects[0])
        errors.append(standard_error(sample.effects_without_each)[0])
    truth = 100 * (4530 / 9832 * -0.3 * 0.6 + 5302 / 9832 * 0.2 * 0.4)
    assert np.mean(found) == pytest.approx(truth, abs=4 * np.std(found) / np.sqrt(2000))
    assert 1.0 < np.sqrt(np.mean(np.square(errors))) / np.std(found) < 1.15


def test_the_methods_paragraph_says_which_domains_have_weights(make, results) -> None:
    weighted(make, TIMES, data="away")
    make(count=COUNT, data="home")
    words = methods(analyse(read_results(results), QUICK, splits=2))
    assert "Examples of away count by their weights." in words


def test_slices_keep_their_weights(make) -> None:
    whole = weighted(make, TIMES)
    genre = pl.Series(np.where(HARD, "hard", "easy"))
    easy, hard = slices(replace(whole, examples=whole.examples.with_columns(genre=genre)), "genre")
    right = right_of(whole, whole.layout.full_key)
    for part, members in ((easy, ~HARD), (hard, HARD)):
        assert part.sample().base_score == pytest.approx(
            100 * np.average(right[members], weights=TIMES[members]), abs=1e-6
        )


def test_what_counts_examples_alike_is_refused_by_name(make) -> None:
    domain = weighted(make, TIMES)
    for test in (PairedTest.mcnemar, PairedTest.mcnemar_mid_p, PairedTest.ttest_rel, PairedTest.ttest_ind):
        with pytest.raises(
            InputError, match=f"{test} needs .* all counting alike; home has weights. Tests for it: rand"
        ):
            effects(domain, Inference(test=test))
    for interval in (Interval.flips, Interval.conditional):
        with pytest.raises(InputError, match="examples that count alike; home has weights: take percentile, bca"):
            effects(domain, Inference(interval=interval))
    for test in (PairedTest.bootstrap, PairedTest.jackknife, PairedTest.sacrebleu):
        assert effects(domain, Inference(resamples=399, test=test))["p"].is_between(0, 1, closed="right").all()
    assert effects(domain, Inference(resamples=199, interval=Interval.bca))["interval"].unique().to_list() == ["bca"]
