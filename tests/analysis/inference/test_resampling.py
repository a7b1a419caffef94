"""Resampling against scipy with the same draws, against every possible resample, and against itself in small pieces."""

import itertools

import numpy as np
import pytest
from fixtures.samples import right_or_wrong, sample_of, sentences
from scipy import stats

from analysis.inference import resampling
from analysis.results import sample as sample_module
from study.record.designs.jackknife import standard_error
from study.record.metrics import Bleu

SOME_RIGHT = np.array([[1, 1, 1, 0, 0, 1], [0, 1, 0, 0, 1, 1], [1, 1, 1, 0, 0, 1], [0, 0, 0, 0, 0, 0]])


def bleu_sample(count: int = 40, seed: int = 0):
    return sample_of(sentences(count, (0.1, 0.15, 0.3), seed), Bleu())


def scipys(sample, method: str, seed: int = 3, resamples: int = 999):
    """Of scipy: its interval of the effect of the first mask, and its draws."""

    def effect(*columns, axis=-1):
        sums = np.stack([column.sum(axis=axis) for column in columns], axis=-1)
        half = sums.shape[-1] // 2
        return sample.metric.score(sums[..., half:]) - sample.metric.score(sums[..., :half])

    columns = [*sample.sums[0].T, *sample.sums[1].T]
    found = stats.bootstrap(
        columns, effect, paired=True, vectorized=True, method=method, n_resamples=resamples, rng=seed
    )
    return found.confidence_interval, found.bootstrap_distribution


def of_scipys_draws(sample, seed: int = 3, resamples: int = 999) -> np.ndarray:
    """Our effects on the resamples that scipy draws from that seed."""
    rng = np.random.default_rng(seed)
    at = rng.integers(0, sample.groups, (resamples, sample.groups))
    scores = sample.weighted(np.stack([np.bincount(row, minlength=sample.groups) for row in at]))
    return scores[:, 1:] - scores[:, :1]


@pytest.mark.parametrize("sample", [bleu_sample(), right_or_wrong(SOME_RIGHT.repeat(8, axis=1))], ids=["bleu", "right"])
def test_intervals_are_scipys_to_the_digit_with_its_draws(sample) -> None:
    draws = of_scipys_draws(sample)
    for method in ("percentile", "BCa"):
        (low, high), theirs = scipys(sample, method)
        assert draws[:, 0] == pytest.approx(theirs, abs=1e-9)
        if method == "percentile":
            ours = resampling.percentile(draws, 0.05)
        else:
            ours = resampling.bca(draws, sample.effects, sample.effects_without_each, 0.05)
        assert (ours[0][0], ours[1][0]) == pytest.approx((low, high), abs=1e-9)


def test_draws_are_the_bootstrap_distribution() -> None:
    """Of 4 examples there are 4^4 resamples, all equally likely."""
    sample = right_or_wrong(SOME_RIGHT[:2, :4])
    every = [np.bincount(at, minlength=4) for at in itertools.product(range(4), repeat=4)]
    exact = np.diff(sample.weighted(np.array(every)), axis=1)[:, 0].round(6)
    drawn = resampling.bootstrap(sample, 20_000, seed=0)[:, 0].round(6)
    values, counts = np.unique(exact, return_counts=True)
    found = np.array([(drawn == value).sum() for value in values])
    assert found.sum() == 20_000
    assert stats.chisquare(found, 20_000 * counts / counts.sum()).pvalue > 0.001


def test_few_groups_are_swapped_in_every_way_once() -> None:
    sample = right_or_wrong(SOME_RIGHT)
    null = resampling.swapped(sample, 100, seed=0)
    change = 100 * (SOME_RIGHT[1:] - SOME_RIGHT[0]) / 6
    every = [np.array(signs) @ change.T for signs in itertools.product((1, -1), repeat=6)][1:]
    assert null.shape == (63, 3)
    assert sorted(map(tuple, null.round(9) + 0.0)) == sorted(map(tuple, np.array(every).round(9) + 0.0))


def test_random_swaps_are_fair_coins() -> None:
    sample = right_or_wrong(SOME_RIGHT.repeat(5, axis=1))
    null = resampling.swapped(sample, 20_000, seed=0)
    change = 100 * (sample.sums[1:, :, 0] - sample.sums[0, :, 0]) / sample.groups
    assert null.mean(axis=0) == pytest.approx(0, abs=0.3)
    assert null.std(axis=0) == pytest.approx(np.sqrt(np.square(change).sum(axis=1)), rel=0.03)
    assert (null[:, 1] == 0).all()


@pytest.mark.parametrize("draw", [resampling.bootstrap, resampling.swapped])
def test_a_seed_says_all_and_memory_and_other_masks_change_nothing(draw, monkeypatch) -> None:
    sample = bleu_sample()
    found = draw(sample, 300, seed=0)
    assert np.array_equal(found, draw(sample, 300, seed=0))
    assert not np.array_equal(found, draw(sample, 300, seed=1))
    assert np.array_equal(found[:, 1:], draw(sample_of(sample.sums[[0, 2]], Bleu()), 300, seed=0))
    monkeypatch.setattr(sample_module, "BYTES_AT_ONCE", 7 * 8 * 40)
    assert np.array_equal(found, draw(sample_of(sample.sums, Bleu()), 300, seed=0))


@pytest.mark.parametrize("kept", [True, False])
def test_samples_with_as_many_groups_are_drawn_once_and_as_ever(kept: bool, monkeypatch) -> None:
    samples = [bleu_sample(40, seed) for seed in range(3)]
    expected = [resampling.scores(sample, 300, 5) for sample in samples]
    made = []
    drawn = resampling.drawn
    monkeypatch.setattr(resampling, "drawn", lambda *sizes: made.append(sizes) or drawn(*sizes))
    monkeypatch.setattr(resampling, "BYTES_KEPT", 2**26 if kept else 1000)
    for sample, scores in zip(samples, expected, strict=True):
        assert (resampling.scores_alike(sample, 300, 5) == scores).all()
    assert len(made) == (1 if kept else 3)


def test_standard_error_of_a_mean_is_the_textbooks() -> None:
    sample = right_or_wrong(SOME_RIGHT)
    error = standard_error(sample.effects_without_each)
    change = 100.0 * (SOME_RIGHT[1:] - SOME_RIGHT[0])
    assert error == pytest.approx(stats.sem(change, axis=1))


def test_standard_error_of_bleu_is_that_of_many_bootstrap_resamples() -> None:
    sample = bleu_sample(200)
    error = standard_error(sample.effects_without_each)
    assert error == pytest.approx(resampling.bootstrap(sample, 4000, seed=1).std(axis=0), rel=0.08)


def test_bca_where_all_draws_are_alike_is_a_point() -> None:
    sample = right_or_wrong(SOME_RIGHT[[0, 2]])
    draws = resampling.bootstrap(sample, 50, seed=0)
    low, high = resampling.bca(draws, sample.effects, sample.effects_without_each, 0.05)
    assert (low[0], high[0]) == (0, 0)
    beside = resampling.bca(draws + 1, sample.effects, sample.effects_without_each, 0.05)
    assert (beside[0][0], beside[1][0]) == (1, 1)
