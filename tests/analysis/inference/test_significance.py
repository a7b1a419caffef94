"""p values against other programs: sacreBLEU, scipy, statsmodels; and against every possible case."""

import itertools

import numpy as np
import pytest
from fixtures.results import WORDS
from fixtures.samples import right_or_wrong, sample_of, sentences
from sacrebleu.metrics.bleu import BLEU
from sacrebleu.metrics.chrf import CHRF
from sacrebleu.significance import _paired_ar_test, _paired_bs_test
from scipy import stats
from statsmodels.stats.contingency_tables import mcnemar as statsmodels_mcnemar

from analysis.inference import resampling
from analysis.inference.discordant_pairs import conditional_interval, flip_interval, flips, mcnemar
from analysis.inference.significance import PairedTest, p_of_draws, p_of_sacrebleu, p_of_t, p_values
from study.record.metrics import Bleu, Chrf, Metric

RIGHT = np.random.default_rng(5).random((4, 60)) < np.array([[0.7], [0.5], [0.65], [0.7]])


def texts(noise: float, seed: int) -> tuple[list[str], list[str]]:
    rng = np.random.default_rng(7)
    references = [" ".join(rng.choice(WORDS, rng.integers(5, 15))) for _ in range(60)]
    rng = np.random.default_rng(seed)
    return [
        " ".join(str(rng.choice(WORDS)) if rng.random() < noise else word for word in reference.split())
        for reference in references
    ], references


def statistics(metric: Metric, hypotheses: list[str], references: list[str]) -> np.ndarray:
    if isinstance(metric, Bleu):
        return metric.sentence_statistics(hypotheses, references)
    assert isinstance(metric, Chrf)
    pairs = zip(hypotheses, references, strict=True)
    return np.concatenate([metric.hypothesis_statistics([text], reference) for text, reference in pairs])


@pytest.fixture(params=[Bleu(), Chrf()], ids=["bleu", "chrf"])
def metric(request) -> Metric:
    return request.param


@pytest.fixture(params=[(0.1, 0.13), (0.1, 0.2), (0.2, 0.1), (0.1, 0.1)])
def pair(request, metric):
    """Two systems: base and mask, as texts for sacreBLEU and as a sample for us."""
    (base, references), (mask, _) = texts(request.param[0], 1), texts(request.param[1], 2)
    sums = np.stack([statistics(metric, hypotheses, references) for hypotheses in (base, mask)])
    return sample_of(sums, metric), base, mask, references


def of_sacrebleu(test, pair, trials: int, seed: int) -> float:
    sample, base, mask, references = pair
    metric = (BLEU if isinstance(sample.metric, Bleu) else CHRF)(references=[references])
    stored = metric._extract_corpus_statistics(base, None)
    info = {"metric": (stored, metric._aggregate_and_compute(stored))}
    return test(info, "mask", mask, None, {"metric": metric}, n_samples=trials, seed=seed)[1]["metric"].p_value


@pytest.mark.parametrize("seed", [1, 2])
def test_approximate_randomisation_is_sacrebleus_to_the_digit_with_its_swaps(pair, seed) -> None:
    sample = pair[0]
    swap = ~np.random.default_rng(seed).integers(2, size=(500, sample.groups), dtype=bool)
    assert p_of_draws(sample.swapped(swap), sample.effects)[0] == of_sacrebleu(_paired_ar_test, pair, 500, seed)


@pytest.mark.parametrize("seed", [1, 2])
def test_paired_bootstrap_is_sacrebleus_to_the_digit_with_its_resamples(pair, seed) -> None:
    sample = pair[0]
    at = np.random.default_rng(seed).choice(sample.groups, size=(500, sample.groups), replace=True)
    weights = np.stack([np.bincount(row, minlength=sample.groups) for row in at])
    draws = np.diff(sample.weighted(weights), axis=1)
    assert p_of_sacrebleu(draws, sample.effects)[0] == of_sacrebleu(_paired_bs_test, pair, 500, seed)


def test_with_draws_of_its_own_it_agrees_within_monte_carlo_error(pair) -> None:
    sample = pair[0]
    draws = resampling.bootstrap(sample, 2000, seed=0)
    for name, theirs in ((PairedTest.randomisation, _paired_ar_test), (PairedTest.sacrebleu, _paired_bs_test)):
        p, _ = p_values(name, sample, None, draws, resamples=2000, seed=0)
        other = of_sacrebleu(theirs, pair, 2000, 11)
        assert p[0] == pytest.approx(other, abs=4 * np.sqrt(2 * max(other, 0.001) / 2000))


def test_equal_systems_are_never_significant_but_in_sacrebleu() -> None:
    sums = sentences(30, (0.2,), 0).repeat(2, axis=0)
    sample = sample_of(sums, Bleu())
    draws = resampling.bootstrap(sample, 100, seed=0)
    for name in (PairedTest.randomisation, PairedTest.bootstrap, PairedTest.jackknife):
        assert p_values(name, sample, None, draws, resamples=100, seed=0)[0].tolist() == [1.0]
    assert p_values(PairedTest.sacrebleu, sample, None, draws, resamples=100, seed=0)[0][0] == pytest.approx(1 / 101)


def test_randomisation_of_a_classifier_is_exact_where_every_swap_is_made() -> None:
    """And of single examples it is McNemar's exact test."""
    right = RIGHT[:, :12]
    p, null = p_values(PairedTest.randomisation, right_or_wrong(right), None, None, resamples=5000, seed=0)
    assert null is not None
    assert len(null) == 2**12 - 1
    for at, mask in enumerate(right[1:]):
        change = mask.astype(int) - right[0]
        every = [abs(np.dot(signs, change)) >= abs(change.sum()) for signs in itertools.product((1, -1), repeat=12)]
        assert p[at] == pytest.approx(np.mean(every))
    assert p == pytest.approx(mcnemar(flips(right_or_wrong(right)), mid_p=False))


def test_mcnemar_is_statsmodels() -> None:
    sample = right_or_wrong(RIGHT)
    for at, mask in enumerate(RIGHT[1:]):
        table = [[(RIGHT[0] == a).astype(int) @ (mask == b) for b in (1, 0)] for a in (1, 0)]
        assert mcnemar(flips(sample), mid_p=False)[at] == pytest.approx(statsmodels_mcnemar(table).pvalue)


def test_mid_p_counts_what_was_observed_by_half() -> None:
    sample = right_or_wrong(RIGHT)
    for at, (wrong, right) in enumerate(zip(flips(sample).wrong, flips(sample).right, strict=True)):
        chances = {k: stats.binom.pmf(k, wrong + right, 0.5) for k in range(wrong + right + 1)}
        as_far = {k: p for k, p in chances.items() if abs(k - (wrong + right) / 2) >= abs(wrong - right) / 2}
        halved = sum(p / 2 if k in (wrong, right) else p for k, p in as_far.items())
        assert mcnemar(flips(sample), mid_p=True)[at] == pytest.approx(min(1.0, halved))


def test_the_papers_t_tests_are_scipys_on_single_examples() -> None:
    sample = right_or_wrong(RIGHT)
    for name, test in ((PairedTest.ttest_ind, stats.ttest_ind), (PairedTest.ttest_rel, stats.ttest_rel)):
        p, null = p_values(name, sample, sample, None, resamples=0, seed=0)
        assert null is None
        assert p == pytest.approx([test(mask.astype(float), RIGHT[0].astype(float)).pvalue for mask in RIGHT[1:]])


def test_t_tests_of_masks_that_change_nothing_or_everything_alike() -> None:
    right = np.array([[1, 1, 1, 0], [1, 1, 1, 0], [0, 0, 0, -1]])
    sample = right_or_wrong(right)
    for name in (PairedTest.ttest_ind, PairedTest.ttest_rel):
        p, _ = p_values(name, sample, sample, None, resamples=0, seed=0)
        assert p[0] == 1.0
        assert 0 < p[1] <= 0.125
    assert p[1] == 2 / 2**4, "paired, all alike: two of the sixteen ways to turn four equal differences are so extreme"


def test_no_p_is_nothing() -> None:
    effects, error = np.array([5.0, 5.0, 0.0]), np.array([1e-9 / 2, 1e-6, 0.0])
    assert p_of_t(effects, error, 3).tolist() == [0.125, pytest.approx(2 * stats.t.sf(5e6, 3)), 1.0]
    assert 0 < p_of_t(np.array([1e300]), np.array([1.0]), 5000)[0] < 1e-300


def test_jackknife_test_of_single_examples_is_the_paired_t_test() -> None:
    sample = right_or_wrong(RIGHT)
    p, _ = p_values(PairedTest.jackknife, sample, None, None, resamples=0, seed=0)
    assert p == pytest.approx(
        [stats.ttest_rel(mask.astype(float), RIGHT[0].astype(float)).pvalue for mask in RIGHT[1:]]
    )
    assert p_of_t(np.array([0.0, 1.0]), np.array([0.0, 0.0]), 5).tolist() == [1.0, 2 / 2**6]


def test_p_is_never_0() -> None:
    sample = right_or_wrong(np.stack([np.ones(40), np.zeros(40)]))
    draws = resampling.bootstrap(sample, 99, seed=0)
    for name in (PairedTest.randomisation, PairedTest.bootstrap, PairedTest.sacrebleu):
        assert p_values(name, sample, None, draws, resamples=99, seed=0)[0][0] == pytest.approx(0.01)


def test_conditional_interval_is_scipys_and_holds_zero_where_mcnemar_does() -> None:
    rng = np.random.default_rng(0)
    for wrong, right in rng.integers(0, 12, (40, 2)):
        base = np.r_[np.ones(wrong), np.zeros(right), np.ones(50)]
        sample = right_or_wrong(np.stack([base, np.r_[np.zeros(wrong), np.ones(right), np.ones(50)]]))
        low, high = (float(end[0]) for end in conditional_interval(flips(sample), 0.05))
        if wrong + right == 0:
            assert (low, high) == (0.0, 0.0)
            continue
        share = stats.binomtest(int(right), int(wrong + right)).proportion_ci(0.95, method="exact")
        scale = 100 * (wrong + right) / sample.examples
        assert (low, high) == pytest.approx((scale * (2 * share.low - 1), scale * (2 * share.high - 1)))
        assert (low <= 0 <= high) == (mcnemar(flips(sample), mid_p=False)[0] > 0.05)


def test_flip_interval_of_one_direction_is_clopper_and_pearsons_and_of_none_the_rule_of_three() -> None:
    base = np.ones(200)
    sample = right_or_wrong(np.stack([base, base, np.r_[np.zeros(5), np.ones(195)]]))
    low, high = flip_interval(flips(sample), 0.05)
    ends = stats.binomtest(0, 200).proportion_ci(0.95, method="exact")
    assert (low[0], high[0]) == pytest.approx((-100 * ends.high, 100 * ends.high))
    five = stats.binomtest(5, 200).proportion_ci(0.95, method="exact")
    assert low[1] == pytest.approx(-100 * five.high)
    assert high[1] == pytest.approx(100 * (-5 / 200 + np.hypot(ends.high, 5 / 200 - five.low)))


def test_flips_that_come_together_count_for_fewer() -> None:
    alone = right_or_wrong(np.stack([np.ones(90), np.r_[np.zeros(9), np.ones(81)]]))
    by_three = sample_of(alone.sums.reshape(2, 30, 3, 2).sum(axis=2), sizes=np.full(30, 3))
    assert flips(by_three).together.tolist() == [3.0]
    assert flips(by_three).examples == 90
    alone_low, together_low = flip_interval(flips(alone), 0.05)[0][0], flip_interval(flips(by_three), 0.05)[0][0]
    three_of_thirty = right_or_wrong(np.stack([np.ones(30), np.r_[np.zeros(3), np.ones(27)]]))
    assert together_low == pytest.approx(flip_interval(flips(three_of_thirty), 0.05)[0][0])
    assert together_low < alone_low
