"""Metrics of log-likelihoods in the inference: means, ratios of sums over texts of unlike length, and exp of ratios."""

from collections.abc import Callable

import numpy as np
import polars as pl
import pytest

from analysis.inference import resampling
from analysis.inference.multiplicity import max_t
from analysis.results.sample import Sample, _product
from study.record.metrics import metric

THEIRS: dict[str, Callable[[np.ndarray, np.ndarray], float]] = {
    "loss": lambda nats, _: float(-nats.mean()),
    "bits_per_byte": lambda nats, lengths: float(-nats.sum() / lengths.sum() / np.log(2)),
    "perplexity": lambda nats, lengths: float(-np.exp(nats.sum() / lengths.sum())),
    "target_perplexity": lambda nats, _: float(-np.exp(nats.mean())),
}
GROUPS, SIZE, MASKS = 60, 2, 4


def answers(rng: np.random.Generator, noises: tuple[float, ...], groups: int = GROUPS) -> tuple[np.ndarray, np.ndarray]:
    """Nats [mask, text] of texts of very unlike length, more where there is more noise, and their lengths."""
    count = groups * SIZE
    lengths = np.exp(rng.normal(3, 0.7, count)).astype(int) + 1
    shared = 1.5 + 0.3 * np.repeat(rng.standard_normal(groups), SIZE) + 0.3 * rng.standard_normal(count)
    each = shared + np.stack([noise * rng.gamma(2.0, 0.5, count) for noise in noises])
    return np.maximum(each, 0.01) * lengths / 20, lengths


def sample_of_answers(name: str, nats: np.ndarray, lengths: np.ndarray) -> Sample:
    own = metric(name)
    rows = []
    for row in nats:
        columns = {"loss": row, "nll": row, "tokens": lengths, "bytes": lengths}
        frame = pl.DataFrame(columns).with_columns(loglik=pl.concat_list(-pl.col("nll")), target=pl.lit("0"))
        rows.append(own.count(frame))
    groups = lengths.size // SIZE
    sums = np.stack(rows).reshape(len(nats), groups, SIZE, -1).sum(axis=2)
    names = tuple(map(str, range(groups)))
    return Sample(tuple(map(str, range(len(nats)))), own, sums, np.full(groups, SIZE), names, "group")


@pytest.mark.parametrize("name", THEIRS)
def test_resamples_swaps_and_deletions_are_scores_of_the_texts_written_out(name: str) -> None:
    rng = np.random.default_rng(2)
    nats, lengths = answers(rng, (0.2, 0.5, 0.9), groups=9)
    sample, theirs = sample_of_answers(name, nats, lengths), THEIRS[name]
    every, close = np.arange(lengths.size), {"rel": 1e-6}

    def scores(taken: np.ndarray) -> list[float]:
        return [theirs(row[taken], lengths[taken]) for row in nats]

    assert sample.scores == pytest.approx(scores(every), **close)
    often = rng.integers(0, 3, (4, 9))
    for weights, found in zip(often, sample.weighted(often), strict=True):
        assert found == pytest.approx(scores(np.repeat(every, np.repeat(weights, SIZE))), **close)
    for left_out, found in enumerate(sample.without_each):
        assert found == pytest.approx(scores(every[every // SIZE != left_out]), **close)
    swaps = rng.random((4, 9)) < 0.5
    for swap, found in zip(swaps, sample.swapped(swaps), strict=True):
        away = np.repeat(swap, SIZE)
        pairs = [(np.where(away, nats[0], row), np.where(away, row, nats[0])) for row in nats[1:]]
        assert found == pytest.approx([theirs(a, lengths) - theirs(b, lengths) for a, b in pairs], abs=1e-5)


@pytest.mark.parametrize("name", THEIRS)
def test_the_deviation_of_swaps_is_that_of_many(name: str) -> None:
    """Known exactly of means and of ratios whose lengths no mask changes; not of their exponential."""
    sample = sample_of_answers(name, *answers(np.random.default_rng(5), (0.3, 0.4, 0.7)))
    drawn = np.sqrt(np.square(resampling.swapped(sample, 20_000, 0)).mean(axis=0))
    if sample.metric.is_mean:
        assert sample.swap_deviation == pytest.approx(drawn, rel=0.03)
    else:
        assert sample.swap_deviation is None


def test_a_mask_that_changes_nothing_has_no_effect_to_the_last_bit() -> None:
    nats, lengths = answers(np.random.default_rng(7), (0.5,))
    for name in THEIRS:
        sample = sample_of_answers(name, np.repeat(nats, 3, axis=0), lengths)
        for effects in (
            resampling.bootstrap(sample, 50, 0),
            resampling.swapped(sample, 50, 0),
            sample.effects_without_each,
        ):
            assert not effects.any()


def test_texts_of_a_million_tokens_are_summed_exactly() -> None:
    """Sums of the grid that no float holds: 2,000 texts of four million nats each, in every resample."""
    rng = np.random.default_rng(0)
    nats, lengths = rng.uniform(3e6, 4e6, (2, 4000)), rng.integers(3e6, 4e6, 4000)
    sample = sample_of_answers("bits_per_byte", nats, lengths)
    weights = resampling.drawn(rng, 3, sample.groups)
    product = np.stack([_product(weights, one) for one in sample.sums], axis=1)
    whole = [
        [[sum(int(w) * int(s) for w, s in zip(row, one[:, k], strict=True)) for k in range(2)] for one in sample.sums]
        for row in weights
    ]
    assert product.tolist() == whole
    assert abs(whole[0][0][0]) > 2**53


def rejections(name: str, runs: int, seed: int) -> float:
    """How often max-T finds any of several masks that differ from the base by chance alone."""
    rng, found = np.random.default_rng(seed), 0
    for run in range(runs):
        sample = sample_of_answers(name, *answers(rng, (0.4,) * MASKS))
        null = resampling.swapped(sample, 199, run)
        found += (max_t(null, sample.effects, sample.swap_deviation) <= 0.05).any()
    return found / runs


def covered(name: str, runs: int, seed: int, truth: np.ndarray) -> float:
    """How often the bootstrap interval of an effect holds the true one."""
    rng, held = np.random.default_rng(seed), 0
    for run in range(runs):
        sample = sample_of_answers(name, *answers(rng, (0.2, 0.4, 0.8)))
        low, high = resampling.percentile(resampling.bootstrap(sample, 399, run), 0.05)
        held += int(((low <= truth) & (truth <= high)).sum())
    return held / runs / truth.size


def truth_of(name: str) -> np.ndarray:
    """The effects on very many texts."""
    return sample_of_answers(name, *answers(np.random.default_rng(99), (0.2, 0.4, 0.8), groups=50_000)).effects


@pytest.mark.parametrize("name", THEIRS)
def test_levels_hold_roughly(name: str) -> None:
    """Within four standard errors of .05 and .93, a little less than asked of 60 groups; the other looks closer."""
    assert rejections(name, 40, 1) <= 0.05 + 4 * np.sqrt(0.05 * 0.95 / 40)
    assert covered(name, 25, 2, truth_of(name)) >= 0.93 - 4 * np.sqrt(0.07 * 0.93 / 25)


@pytest.mark.exhaustive
@pytest.mark.parametrize("name", THEIRS)
def test_levels_hold(name: str) -> None:
    assert rejections(name, 1000, 3) <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / 1000)
    assert covered(name, 600, 4, truth_of(name)) == pytest.approx(0.94, abs=0.03)
