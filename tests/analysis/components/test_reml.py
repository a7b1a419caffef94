"""REML against other ways to the same numbers: analysis of variance, statsmodels, and the likelihood written out."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import statsmodels.formula.api as smf
from scipy import optimize, stats
from simulated_grids import Fixed, Truth, without_heads

from analysis.components import reml as module
from analysis.components.moments import Component, moments
from analysis.components.noisy_grid import NoisyGrid
from analysis.components.reml import reml

SMALL = Truth(domains=2, seeds=3, layers=3, per_layer=4, groups=60)


def made(truth: Truth, seed: int = 0) -> NoisyGrid:
    rng = np.random.default_rng(seed)
    return Fixed.draw(truth, rng).grid(rng)


def noiseless(truth: Truth, seed: int = 0) -> NoisyGrid:
    grid = made(replace(truth, shared=0.0, own=0.0, common=0.0), seed)
    return replace(grid, without=[np.repeat(own[None], 3, axis=0) for own in grid.effects])


def test_without_noise_or_layers_it_is_the_analysis_of_variance() -> None:
    """In a balanced grid both are the same where no estimate is negative (Searle, Casella and McCulloch 1992, 4.8)."""
    grid = noiseless(Truth(domains=3, seeds=4, layers=1, per_layer=30, sd=(0, 1, 0.8, 0.7, 0.5)))
    by_moments = moments(grid)
    assert min(by_moments.values()) > 0
    assert reml(grid) == pytest.approx(by_moments, rel=1e-4)


def test_without_noise_it_is_the_mixed_model_of_statsmodels() -> None:
    """One seed: heads are random, domains fixed, what is left is head × domain."""
    grid = noiseless(Truth(domains=4, seeds=1, layers=1, per_layer=25), 1)
    rows = [(d, h, grid.effects[d, 0, h]) for d in range(4) for h in range(25)]
    frame = pd.DataFrame(rows, columns=["domain", "head", "effect"])
    theirs = smf.mixedlm("effect ~ C(domain)", frame, groups="head").fit(reml=True)
    found = reml(grid)
    assert found[Component.HEAD] == pytest.approx(theirs.cov_re.iloc[0, 0], rel=1e-4)
    assert found[Component.DOMAIN] == pytest.approx(theirs.scale, rel=1e-4)


def written_out(grid: NoisyGrid) -> dict[Component, float]:
    """The likelihood of all contrasts at once, searched by an optimiser that knows no derivative."""
    domains, seeds, heads = grid.shape
    basis = np.linalg.svd(np.eye(heads) - 1 / heads)[0][:, : heads - 1]
    effects = (grid.effects @ basis).ravel()
    layer = (grid.layers[:, None] == grid.layers).astype(float)
    both = [basis.T @ layer @ basis, *[np.eye(heads - 1)] * 4]
    ones, own = np.ones, np.eye
    cells = [
        np.kron(ones((domains, domains)), ones((seeds, seeds))),
        np.kron(ones((domains, domains)), ones((seeds, seeds))),
        np.kron(own(domains), ones((seeds, seeds))),
        np.kron(ones((domains, domains)), own(seeds)),
        np.kron(own(domains), own(seeds)),
    ]
    kernels = [np.kron(a, b) for a, b in zip(cells, both, strict=True)]
    known = np.zeros((len(effects), len(effects)))
    size = seeds * (heads - 1)
    for d in range(domains):
        between = np.zeros((seeds, seeds))
        covariance = grid.centred.covariance(d).reshape(seeds, heads, seeds, heads)
        for s, t in np.ndindex(seeds, seeds):
            between[s, t] = np.trace(covariance[s, :, t]) / (heads - 1)
        assert abs(between[0, 1]) > 0.05, "blocks between seeds are not zero"
        known[d * size : (d + 1) * size, d * size : (d + 1) * size] = np.kron(between, own(heads - 1))

    def lost(roots: np.ndarray) -> float:
        covariance = known + sum(root**2 * kernel for root, kernel in zip(roots, kernels, strict=True))
        return -stats.multivariate_normal.logpdf(effects, cov=covariance, allow_singular=False)

    found = optimize.minimize(
        lost, np.full(5, 0.5), method="L-BFGS-B", options={"ftol": 1e-14, "gtol": 1e-8, "maxfun": 10000}
    )
    values = np.square(found.x)
    values[0] *= np.trace(both[0]) / (heads - 1)
    return dict(zip(Component, values, strict=True))


@pytest.mark.parametrize("seed", [0, 1])
def test_with_noise_it_is_the_maximum_of_the_likelihood_written_out(seed: int) -> None:
    """Components at 0 too; the noise of the seeds of a domain is correlated."""
    truth = SMALL if seed else replace(SMALL, sd=(0.3, 0.7, 0.0, 0.5, 0.4))
    grid = made(truth, seed)
    assert reml(grid) == pytest.approx(written_out(grid), abs=2e-3)


def test_noise_that_grows_with_effects_does_not_hide_them() -> None:
    """Heads without an effect have least noise; weighing heads by their noise would hear of those alone."""
    truth = Truth(domains=3, seeds=4, groups=150, common=0.0, grows=True)
    rng, errors = np.random.default_rng(4), []
    for _ in range(20):
        fixed = Fixed.draw(truth, rng)
        errors.append(reml(fixed.grid(rng))[Component.HEAD] / fixed.components[Component.HEAD] - 1)
    assert abs(np.mean(errors)) < 0.2


def test_components_are_near_the_truth_and_none_is_negative() -> None:
    rng, errors = np.random.default_rng(3), []
    truth = replace(SMALL, groups=200, sd=(0.3, 0.6, 0.3, 0.4, 0.3))
    for _ in range(25):
        fixed = Fixed.draw(truth, rng)
        found = reml(fixed.grid(rng))
        assert min(found.values()) >= 0
        errors.append([found[name] - value for name, value in fixed.components.items()])
    mean, error = np.mean(errors, axis=0), np.std(errors, axis=0) / 5
    assert (np.abs(mean) < 3.5 * error + 0.02).all(), (mean, error)


def test_where_there_are_no_effects_there_are_no_components() -> None:
    found = [reml(made(without_heads(replace(SMALL, groups=200)), seed)) for seed in range(10)]
    assert np.mean([own[Component.HEAD] for own in found]) < 0.06
    assert np.mean([own[Component.CELL] for own in found]) < 0.06


def test_steps_without_end_are_no_number(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_STEPS", 1)
    monkeypatch.setattr(module, "TOLERANCE", 0.0)
    assert reml(made(SMALL)) is None
