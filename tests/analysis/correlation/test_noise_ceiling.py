from dataclasses import replace

import numpy as np
import pytest
from simulated import PLAIN, Scenario, noisy, sample

from analysis.correlation.head_influence import by_size
from analysis.correlation.noise_ceiling import ceiling, deal, part_effects, reliability, true_r_of_rest
from analysis.correlation.true_correlation import noise


def split(own, rng: np.random.Generator, splits: int, parts: int):
    """The effects on random parts of the examples."""
    return part_effects(own, deal(own.groups, rng, splits, parts), parts)


def simulated(scenario: Scenario, seed: int):
    rng = np.random.default_rng(seed)
    a, b = scenario.shifts(rng)
    return sample(scenario, a, rng), sample(scenario, b, rng)


def test_parts_are_disjoint_whole_and_of_one_size():
    own, _ = simulated(replace(PLAIN, groups=31, heads=5), seed=0)
    parts = split(own, np.random.default_rng(1), 4, 3)
    assert parts.shape == (4, 3, 5)
    sizes = np.array([11, 10, 10])
    assert (sizes @ parts) / 31 == pytest.approx(
        np.tile(own.effects, (4, 1))
    )  # accuracy: a mean over groups of one size
    assert len(np.unique(parts[:, 0, 0])) > 1


def test_reliability_of_halves_is_what_the_moments_say():
    """Two ways to one number: splits stepped up by Spearman and Brown, and 1 - noise / variance."""
    for seed, signal in enumerate((0.02, 0.05, 0.1)):
        own, _ = simulated(replace(PLAIN, signal=signal), seed)
        found = reliability(split(own, np.random.default_rng(0), 300, 2))
        by_moments = 1 - noise(noisy(own)) / own.effects.var(ddof=1)
        assert found.whole == pytest.approx(by_moments, abs=0.03)
        assert found.low < found.between < found.high


def test_spearman_brown_of_thirds_and_halves_agree():
    own, _ = simulated(PLAIN, 3)
    halves, thirds = (reliability(split(own, np.random.default_rng(0), 300, parts)) for parts in (2, 3))
    assert halves.between > thirds.between
    assert halves.whole == pytest.approx(thirds.whole, abs=0.03)


def test_the_ceiling_is_what_r_of_the_same_true_effects_reaches():
    scenario = replace(PLAIN, r=1.0, signal=0.03)
    rs, ceilings = [], []
    for seed in range(20):
        a, b = simulated(scenario, seed)
        rs.append(np.corrcoef(a.effects, b.effects)[0, 1])
        found = [reliability(split(own, np.random.default_rng(seed), 100, 2)) for own in (a, b)]
        ceilings.append(ceiling(*found))
    assert np.mean(rs) < 0.85
    assert np.mean(ceilings) == pytest.approx(np.mean(rs), abs=0.02)


def test_without_the_largest_heads_a_part_of_its_own_must_say_which_they_are():
    """True effects are the same on both domains, whatever is left out, so their r is 1; the naive way is far off."""
    scenario = replace(PLAIN, r=1.0, signal=0.03, heavy=False)
    honest, naive = [], []
    for seed in range(20):
        a, b = simulated(scenario, seed)
        parts = [split(own, np.random.default_rng([seed, i]), 100, 3) for i, own in enumerate((a, b))]
        honest.append(true_r_of_rest(*parts, by_size(parts[0][:, 0], parts[1][:, 0])[:, 16:]))
        same = np.tile(by_size(a.effects)[16:], (100, 1))
        naive.append(reliability(parts[0], same).between)
    assert np.median(honest) == pytest.approx(1.0, abs=0.12)
    picked_apart = [
        reliability(parts := split(a, np.random.default_rng(0), 100, 3), by_size(parts[:, 0])[:, 16:]).between
        for a, _ in (simulated(scenario, seed) for seed in range(20))
    ]
    assert np.mean(naive) < np.mean(picked_apart) - 0.1


def test_a_domain_that_is_noise_has_no_ceiling():
    flat = replace(PLAIN, signal=0.0)
    found = [reliability(split(simulated(flat, seed)[0], np.random.default_rng(0), 100, 2)) for seed in range(8)]
    without = [own for own in found if own.whole is None]
    assert without
    assert all("do not agree" in own.reason and own.between <= 0 for own in without)
    assert ceiling(found[0], without[0]) is None


def test_five_groups_cannot_be_split():
    own, _ = simulated(replace(PLAIN, groups=5), 0)
    assert split(own, np.random.default_rng(0), 10, 2) is None
    assert "fewer than 6 groups" in reliability(None).reason


def test_splits_follow_from_the_seed():
    own, _ = simulated(PLAIN, 0)
    one, same, other = (split(own, np.random.default_rng(seed), 3, 2) for seed in (0, 0, 1))
    assert np.array_equal(one, same)
    assert not np.array_equal(one, other)
