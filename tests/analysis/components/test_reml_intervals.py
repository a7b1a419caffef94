"""Intervals of REML against replicates by hand, and against the truth of simulated grids."""

from dataclasses import replace

import numpy as np
import pytest
from simulated_grids import Fixed, Truth, coverage, without_heads

from analysis.components import reml_intervals
from analysis.components.intervals import Estimate, decompose, share, total
from analysis.components.moments import Component
from analysis.components.reml import mean_noise, reml
from analysis.components.reml_intervals import decompose_by_reml, within, without_each_block
from analysis.correlation.coefficients import centred

TRUTH = Truth(domains=2, seeds=5, layers=3, per_layer=4, groups=60)


def test_without_a_block_is_what_the_other_groups_alone_give(monkeypatch: pytest.MonkeyPatch) -> None:
    """Means over the groups that are left, and their covariance as any book has it."""
    monkeypatch.setattr(reml_intervals, "BLOCKS", 4)
    rng = np.random.default_rng(0)
    groups = centred(rng.exponential(size=(11, 3, 6)))
    without = (groups.sum(axis=0) - groups) / 10
    dealt = np.random.default_rng(0).permutation(11) % 4
    for block, (shift, noise) in enumerate(without_each_block(without)):
        left = groups[dealt != block]
        assert shift == pytest.approx(left.mean(axis=0) - groups.mean(axis=0))
        between = [[np.cov(left[:, s], left[:, t], rowvar=False)[:6, 6:] for t in range(3)] for s in range(3)]
        wanted = np.trace(np.array(between), axis1=2, axis2=3) / len(left) / 5
        assert noise == pytest.approx(wanted)
    every = [[np.cov(groups[:, s].T, groups[:, t].T)[:6, 6:].trace() for t in range(3)] for s in range(3)]
    assert mean_noise(without) == pytest.approx(np.array(every) / 11 / 5)


def test_a_replicate_is_the_fit_of_what_is_left() -> None:
    """Where no variance is held at 0: REML of a grid of the other seeds; all values by another way than `fitted`."""
    grid = Fixed.draw(replace(TRUTH, sd=(1.5, 1, 1, 1, 1)), np.random.default_rng(1)).grid(np.random.default_rng(11))
    found = decompose_by_reml(grid, 0.95)
    assert found.whole == pytest.approx(reml(grid))
    assert min(found.whole.values()) > 0.01
    for seed in range(5):
        alone = reml(grid.without_seed(seed))
        for name, value in alone.items():
            assert found.seeds[name][seed] == pytest.approx(value, abs=1e-6)
    assert [len(total(own)) for own in found.groups] == [20, 20]


def test_a_variance_held_at_zero_has_an_interval() -> None:
    grid = Fixed.draw(without_heads(TRUTH), np.random.default_rng(3)).grid(np.random.default_rng(4))
    found = decompose_by_reml(grid, 0.95)
    at_zero = [name for name, value in found.whole.items() if value == 0]
    assert at_zero
    for name in at_zero:
        estimate = within(found.estimate(lambda own, name=name: own[name]))
        assert estimate.low == 0 < estimate.high


def test_intervals_are_about_as_wide_as_those_of_moments() -> None:
    """Where all components are well above 0 both estimators are nearly one."""
    grid = Fixed.draw(replace(TRUTH, sd=(1.5, 1, 1, 1, 1)), np.random.default_rng(1)).grid(np.random.default_rng(11))
    widths = [
        [found.estimate(lambda own, name=name: own[name]) for name in Component]
        for found in (decompose(grid, 0.95), decompose_by_reml(grid, 0.95))
    ]
    ratios = [(b.high - b.low) / (a.high - a.low) for a, b in zip(*widths, strict=True)]
    assert ratios == pytest.approx(np.ones(5), abs=0.1)


def test_ends_are_those_a_variance_or_a_share_can_have() -> None:
    assert within(Estimate(0.3, -0.2, 1.4), most=1.0) == Estimate(0.3, 0.0, 1.0)
    assert within(Estimate(0.3)) == Estimate(0.3)


def test_without_seeds_there_are_numbers_alone() -> None:
    grid = Fixed.draw(replace(TRUTH, seeds=3), np.random.default_rng(1)).grid(np.random.default_rng(2))
    found = decompose_by_reml(grid, 0.95)
    assert found.estimate(share(Component.HEAD)).low is None
    assert found.reason == "no intervals: they need 4 seeds, and there are 3"


@pytest.mark.repeats
def test_intervals_hold_the_truth(monkeypatch: pytest.MonkeyPatch) -> None:
    """300 runs of every case, and the widths, are in test_coverage_of_components."""
    found = coverage(TRUTH, 30, np.random.default_rng(7), by_reml=True)
    assert min(held for held, _ in found.values()) > 0.85
    assert found["share of head_domain_seed"][1] < 0.6, "an interval that holds everything says nothing"
