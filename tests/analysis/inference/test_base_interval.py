"""The interval of a base score: against scipy, against sacreBLEU's resamples, and how often it holds the truth."""

import numpy as np
import pytest
from fixtures.results import domain_of
from fixtures.samples import right_or_wrong, sample_of
from scipy import stats

from analysis.inference import Inference, Interval, base_interval
from analysis.inference.base_interval import score_interval
from study.record.metrics import Bleu


def rights(right: int, wrong: int):
    """One mask on single examples."""
    return right_or_wrong(np.array([[1] * right + [0] * wrong]))


@pytest.mark.parametrize(("right", "wrong"), [(300, 0), (290, 10), (0, 40), (7, 500)])
def test_of_few_errors_it_is_the_exact_binomial_one(right: int, wrong: int) -> None:
    found = score_interval(rights(right, wrong), Inference(), countable=True)
    ends = stats.binomtest(right, right + wrong).proportion_ci(0.95, method="exact")
    assert (found.low, found.high) == pytest.approx((100 * ends.low, 100 * ends.high))
    assert found.interval == "binomial"


def test_of_many_it_is_that_of_scipys_bootstrap() -> None:
    sample = rights(400, 100)
    theirs = stats.bootstrap(
        [100 * sample.sums[0, :, 0]], np.mean, n_resamples=20_000, method="BCa", rng=1
    ).confidence_interval
    for interval in (Interval.percentile, Interval.bca):
        found = score_interval(sample, Inference(interval=interval), countable=True)
        assert (found.low, found.high) == pytest.approx((theirs.low, theirs.high), abs=0.35)
        assert found.interval == interval


def test_an_interval_from_flips_asks_for_no_bootstrap_of_the_base_either() -> None:
    found = score_interval(rights(400, 100), Inference(interval=Interval.flips), countable=True)
    assert found.interval == "binomial"
    assert found.low == pytest.approx(100 * stats.beta.ppf(0.025, 400, 101))


def test_of_bleu_it_is_that_of_the_sentences_drawn_again(make) -> None:
    """Resampled one by one, and scored by the metric itself."""
    domain = domain_of(make, "bleu", count=60)
    found = base_interval(domain, Inference(groups="example"))
    full = domain.rows.filter(mask="1" * len(domain.layout)).sort("example")
    sentences = full.select(Bleu.statistics).to_numpy()
    rng = np.random.default_rng(5)
    draws = [Bleu().score(sentences[rng.integers(60, size=60)].sum(axis=0)) for _ in range(5000)]
    low, high = np.quantile(draws, [0.025, 0.975])
    assert (found["low"], found["high"]) == pytest.approx((low, high), abs=0.1 * (high - low))
    assert (found["interval"], found["resamples"], found["groups"]) == ("percentile", 2000, 60)


def test_of_one_group_there_is_none(make) -> None:
    domain = domain_of(make, "accuracy", count=3)
    found = base_interval(domain, Inference())
    assert (found["low"], found["high"], found["groups"]) == (None, None, 1)


def test_a_few_large_groups_are_resampled() -> None:
    """Ten genres of a thousand examples are no ten examples, nor is the interval of so many wide."""
    rng = np.random.default_rng(4)
    right, sizes = rng.binomial(981, 0.846, 10), np.full(10, 981)
    sample = sample_of(np.stack([right, sizes], axis=-1)[None], sizes=sizes)
    found = score_interval(sample, Inference(), countable=True)
    assert found.interval == "percentile"
    assert found.high - found.low < 2.5


@pytest.mark.repeats
@pytest.mark.parametrize("runs", [200, pytest.param(2000, marks=pytest.mark.exhaustive)])
@pytest.mark.parametrize(("chance", "size"), [(0.8, 1), (0.8, 3), (0.97, 1), (0.985, 3)])
def test_it_holds_the_truth_as_often_as_it_says(chance: float, size: int, runs: int) -> None:
    """Groups whose examples are right or wrong together; of few errors it is careful.

    It is as wide as the exact interval of the expected number of groups: none holds the truth by being too wide.
    """
    rng, options = np.random.default_rng([int(1000 * chance), size]), Inference(resamples=399)
    held, examples, widths = 0, 600, []
    for _ in range(runs):
        right = size * (rng.random(examples // size) < chance).astype(np.int64)
        sizes = np.full(len(right), size)
        sample = sample_of(np.stack([right, sizes], axis=-1)[None], sizes=sizes)
        found = score_interval(sample, options, countable=True)
        held += found.low <= 100 * chance <= found.high
        widths.append(found.high - found.low)
    fewest, most = stats.binom.ppf([0.001, 0.999], runs, [0.93, 0.97 if chance == 0.8 else 0.995])
    assert fewest <= held <= most
    groups = examples // size
    exact = stats.binomtest(round(chance * groups), groups).proportion_ci(0.95, method="exact")
    assert np.median(widths) == pytest.approx(100 * (exact.high - exact.low), rel=0.1)
