"""Components by moments: against averages over pairs by hand, the truth of simulations, and groups really left out."""

from dataclasses import replace
from itertools import product

import numpy as np
import pytest
from simulated_grids import Fixed, Truth, without_heads

from analysis.components.intervals import decompose, share, total
from analysis.components.moments import Component, moments, noise_variance, without_each_group, without_each_seed
from analysis.components.noisy_grid import NoisyGrid

SMALL = Truth(domains=3, seeds=4, layers=4, per_layer=3, groups=25)


def made(truth: Truth = SMALL, seed: int = 0) -> NoisyGrid:
    rng = np.random.default_rng(seed)
    return Fixed.draw(truth, rng).grid(rng)


def by_pairs(grid: NoisyGrid, projection: np.ndarray) -> dict[Component, float]:
    """Covariance less noise of every two cells, averaged by what they have in common, in loops."""
    domains, seeds, heads = grid.shape
    covariances: dict[tuple[bool, bool], list[float]] = {}
    for d, e in product(range(domains), repeat=2):
        for s, t in product(range(seeds), repeat=2):
            value = grid.effects[d, s] @ projection @ grid.effects[e, t]
            if d == e:
                block = grid.covariance(d)[s * heads : (s + 1) * heads, t * heads : (t + 1) * heads]
                value -= np.trace(block @ projection)
            covariances.setdefault((d == e, s == t), []).append(value / np.trace(projection))
    mean = {common: float(np.mean(values)) for common, values in covariances.items()}
    apart = mean[False, False]
    domain, seed = mean[True, False] - apart, mean[False, True] - apart
    cell = mean[True, True] - domain - seed - apart
    return {Component.HEAD: apart, Component.DOMAIN: domain, Component.SEED: seed, Component.CELL: cell}


def test_components_are_averages_over_pairs_of_cells() -> None:
    grid = made()
    heads, member = grid.shape[2], (grid.layers == np.arange(4)[:, None]).astype(float)
    centring = np.eye(heads) - 1 / heads
    within = np.eye(heads) - member.T @ member / 3
    over_all, in_layers = by_pairs(grid, centring), by_pairs(grid, within)
    layer = over_all[Component.HEAD] - in_layers[Component.HEAD]
    expected = {Component.LAYER: layer, **over_all, Component.HEAD: in_layers[Component.HEAD]}
    assert moments(grid) == pytest.approx(expected)
    variance = np.mean([np.var(grid.effects[d, s], ddof=1) for d, s in product(range(3), range(4))])
    assert total(moments(grid)) + noise_variance(grid) == pytest.approx(variance), "parts add up to what is measured"


@pytest.mark.parametrize(
    ("domains", "seeds", "names"), [(1, 4, ["layer", "head", "head_seed"]), (3, 1, ["layer", "head", "head_domain"])]
)
def test_a_grid_of_one_axis_has_the_components_that_it_can_tell_apart(domains, seeds, names) -> None:
    found = moments(made(replace(SMALL, domains=domains, seeds=seeds)))
    assert list(map(str, found)) == names


def test_one_layer_or_layers_of_one_head_have_no_part_of_their_own() -> None:
    for truth in (replace(SMALL, layers=1, per_layer=9), replace(SMALL, layers=9, per_layer=1)):
        assert Component.LAYER not in moments(made(truth))


def test_groups_and_seeds_left_out_are_as_if_they_had_never_been() -> None:
    truth, rng = SMALL, np.random.default_rng(3)
    outcomes = rng.normal(size=(3, truth.groups, 4, 12)) + rng.normal(size=(3, 1, 1, 12))
    layers = np.repeat(np.arange(4), 3)

    def grid(own: list[np.ndarray]) -> NoisyGrid:
        without = [(each.sum(axis=0) - each) / (len(each) - 1) for each in own]
        return NoisyGrid(np.stack([each.mean(axis=0) for each in own]), without, layers)

    whole = list(outcomes)
    found = without_each_group(grid(whole), 1)
    for group in (0, 7, 24):
        left = [np.delete(each, group, axis=0) if d == 1 else each for d, each in enumerate(whole)]
        assert {name: values[group] for name, values in found.items()} == pytest.approx(moments(grid(left)))
    for seed, left in ((2, [each[:, [0, 1, 3]] for each in whole]),):
        own = without_each_seed(grid(whole))
        assert {name: values[seed] for name, values in own.items()} == pytest.approx(moments(grid(left)))


def mean_error(truth: Truth, runs: int) -> tuple[dict[Component, float], dict[Component, float]]:
    """Mean of estimate less truth, and its standard error."""
    rng, errors = np.random.default_rng(5), {}
    for _ in range(runs):
        fixed = Fixed.draw(truth, rng)
        for name, value in moments(fixed.grid(rng)).items():
            errors.setdefault(name, []).append(value - fixed.components[name])
    mean = {name: float(np.mean(values)) for name, values in errors.items()}
    return mean, {name: float(np.std(values)) / np.sqrt(runs) for name, values in errors.items()}


@pytest.mark.parametrize(
    "truth", [SMALL, without_heads(SMALL), replace(SMALL, domains=1)], ids=["all", "no heads", "one domain"]
)
def test_moments_are_unbiased_whatever_the_noise_that_seeds_share(truth: Truth) -> None:
    """Without a head's effect there is no component of heads, though the seeds share their examples."""
    mean, error = mean_error(truth, 80)
    assert all(abs(mean[name]) < 3.5 * error[name] for name in mean), (mean, error)


def test_taking_out_single_variances_alone_would_find_heads_where_there_are_none() -> None:
    """The blocks between seeds are what matters: without them the noise that seeds share looks like head × domain."""
    truth, rng, found = without_heads(replace(SMALL, groups=60)), np.random.default_rng(6), []
    for _ in range(20):
        grid = Fixed.draw(truth, rng).grid(rng)
        own = np.stack(grid.without)
        apart = np.stack([own[:, rng.permutation(truth.groups), s] for s in range(truth.seeds)], axis=2)
        found.append(moments(replace(grid, without=list(apart)))[Component.DOMAIN])
    assert np.mean(found) > 0.1
    assert np.mean(found) > 5 * np.std(found) / np.sqrt(20)


def test_fewer_than_four_seeds_have_no_interval_and_say_so() -> None:
    found = decompose(made(replace(SMALL, seeds=3)), 0.95)
    assert found.reason == "no intervals: they need 4 seeds, and there are 3"
    assert found.estimate(share(Component.HEAD)).low is None
    assert decompose(made(), 0.95, sampled=False).reason == "no intervals: they need seeds, as only seeds are a sample"
    assert decompose(made(), 0.95).estimate(share(Component.HEAD)).low is not None


def test_intervals_hold_the_truth() -> None:
    """A few runs; `test_coverage_of_intervals` makes many."""
    rng, truth = np.random.default_rng(8), replace(SMALL, seeds=5)
    held = []
    for _ in range(15):
        fixed = Fixed.draw(truth, rng)
        found = decompose(fixed.grid(rng), 0.95)
        for name, value in fixed.components.items():
            estimate = found.estimate(lambda own, name=name: own[name])
            held.append(estimate.low <= value <= estimate.high)
    assert np.mean(held) > 0.9


@pytest.mark.parametrize(("domains", "seeds"), [(2, 1), (1, 3), (3, 3)])
def test_few_seeds_without_effects_are_hardly_ever_divided(domains, seeds) -> None:
    """Every second variance of true effects is above zero, without any; few are shown to be."""
    rng = np.random.default_rng(1)
    truth = without_heads(Truth(domains=domains, seeds=seeds, layers=4, per_layer=3, groups=60, shared=1))
    found = [decompose(Fixed.draw(truth, rng).grid(rng), 0.95) for _ in range(60)]
    assert 0.3 < np.mean([float(total(own.whole)) > 0 for own in found]) < 0.7
    assert np.mean([own.divided for own in found]) <= 0.05
    sure = decompose(made(replace(SMALL, domains=domains, seeds=seeds)), 0.95)
    assert sure.divided
