"""Draws of donors: each example studied several times has intervals that hold what they say, alone and beside zero.

The donor moves the latent variable of its draw for all heads at once; the draws of an example share everything else.
"""

from dataclasses import dataclass, replace

import numpy as np
import pytest
from simulated import PLAIN, Scenario, drawn, noisy, outcomes, true_effects

from analysis.correlation.shared_examples import SharedGroups
from analysis.correlation.true_correlation import true_r
from analysis.inference import resampling
from analysis.results.sample import Sample

SINGLE = replace(PLAIN, groups=300, heads=24, signal=0.15, r=0.6)


def with_draws(
    noise: tuple[np.ndarray, ...], scenario: Scenario, draws: int, rng: np.random.Generator, same: float = 0.5
):
    """Each example `draws` times; `same` of the variance of its jitter is its own, the rest its donor's."""
    latent, jitter, sizes = noise
    latent, jitter = np.repeat(latent, draws, axis=1), np.repeat(jitter, draws, axis=1)
    donors = drawn(replace(scenario, size=scenario.size * draws, alike=0.0), rng)[1]
    return latent, np.sqrt(same) * jitter + np.sqrt(1 - same) * donors, sizes * draws


@dataclass(frozen=True)
class DrawCoverage:
    """Shares of intervals that hold the truth.

    Attributes:
        effects: bootstrap intervals of effects, the draws of an example in one group.
        independent: the same with every draw a group of its own.
        true: jackknife intervals of the true r between zero and draws of the same examples.
    """

    effects: float
    independent: float
    true: float


def coverage(scenario: Scenario, draws: int, runs: int, seed: int) -> DrawCoverage:
    rng = np.random.default_rng(seed)
    shifts = scenario.shifts(rng)
    effects, of_draws = true_effects(shifts)[1], []
    truth, places, alone, true = float(np.corrcoef(true_effects(shifts))[0, 1]), np.arange(scenario.groups), [], []
    for run in range(runs):
        first = drawn(scenario, rng)
        several = with_draws(first, scenario, draws, rng)
        zero, resampled = outcomes(first, shifts[0]), outcomes(several, shifts[1])
        flat = tuple(part.reshape(-1, 1, part.shape[2]) for part in several[:2])
        apart = outcomes((*flat, np.ones(len(flat[0]), dtype=np.int64)), shifts[1])
        of_draws.append(_held(resampled, effects, run))
        alone.append(_held(apart, effects, run))
        shared = SharedGroups(scenario.groups, scenario.groups, places, places)
        found = true_r(noisy(zero), noisy(resampled), shared=shared)
        if found.value is not None:
            true.append(found.low - 1e-9 <= truth <= found.high + 1e-9)
    return DrawCoverage(float(np.mean(of_draws)), float(np.mean(alone)), float(np.mean(true)))


def _held(sample: Sample, effects: np.ndarray, seed: int) -> float:
    """The share of the effects that the percentile intervals of a sample hold."""
    scores = resampling.scores(sample, 400, seed)
    low, high = resampling.percentile(scores[:, 1:] - scores[:, :1], 0.05)
    return float(((low <= effects) & (effects <= high)).mean())


def test_draws_of_an_example_are_one_group() -> None:
    found = coverage(SINGLE, draws=4, runs=25, seed=3)
    assert found.effects > 0.88
    assert found.independent < 0.8, "to take draws for independent makes intervals half as wide"
    assert found.true >= 0.85


@pytest.mark.exhaustive
@pytest.mark.parametrize("draws", [1, 2, 8])
@pytest.mark.parametrize("scenario", [SINGLE, replace(SINGLE, groups=150, size=3)])
def test_intervals_hold_the_truth_however_many_draws(scenario: Scenario, draws: int) -> None:
    found = coverage(scenario, draws, runs=500, seed=4)
    assert 0.925 <= found.effects <= 0.965
    assert 0.915 <= found.true <= 0.985
