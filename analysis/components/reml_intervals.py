"""Intervals of variance components by REML: jackknives, over seeds and over blocks of the groups of examples.

They are over what those of the moments are over (`intervals`). A variance that is held at 0 would be 0 without each
seed too, as if it were known; so replicates are taken where the likelihood has its top, were negative variances
allowed (`Point.beyond`). Every replicate is a fit; groups are dealt into blocks, so that there are not many.
"""

from collections.abc import Iterator, Sequence

import numpy as np
from jaxtyping import Float

from analysis.components.intervals import Decomposition, Estimate, no_interval
from analysis.components.moments import Components, moments
from analysis.components.noisy_grid import NoisyGrid
from analysis.components.reml import Model, Point, fitted, mean_noise

BLOCKS = 20
"""Blocks that the groups of examples of a domain are dealt into."""

NO_TOP = "no numbers by REML: no top of the likelihood was found"
NO_END = "no intervals by REML: without some seed or block of examples the likelihood has no top that was found"


def decompose_by_reml(grid: NoisyGrid, level: float, *, sampled: bool = True) -> Decomposition | None:
    """The components of a grid by REML, with what their intervals need; None where the steps have no end.

    Args:
        grid: effects with their noise.
        level: probability that an interval holds.
        sampled: as in `decompose`.
    """
    model, reason = Model.of(grid), no_interval(grid, sampled=sampled)
    whole = fitted(model, moments(grid))
    if whole is None:
        return None
    if reason is not None:
        return Decomposition(whole.components, None, (), reason, level)
    seeds = [Model.of(grid.without_seed(seed)) for seed in range(grid.shape[1])]
    every = [seeds, *(list(_without_blocks(model, grid, domain)) for domain in range(grid.shape[0]))]
    left = [_together([fitted(each, whole.components) for each in models]) for models in every]
    found = [own for own in left if own is not None]
    if len(found) < len(left):
        return Decomposition(whole.components, None, (), NO_END, level)
    return Decomposition(whole.components, found[0], tuple(found[1:]), None, level)


def within(estimate: Estimate, most: float = np.inf) -> Estimate:
    """An estimate by REML whose interval ends at 0, below which no variance is, and at the most there is."""
    if estimate.low is None or estimate.high is None:
        return estimate
    return Estimate(estimate.value, max(estimate.low, 0.0), min(estimate.high, most))


def _together(points: Sequence[Point | None]) -> Components | None:
    """The replicates of each component; None where one is lacking."""
    found = [point.beyond for point in points if point is not None]
    return {name: np.array([own[name] for own in found]) for name in found[0]} if len(found) == len(points) else None


def _without_blocks(model: Model, grid: NoisyGrid, domain: int) -> Iterator[Model]:
    """The likelihood without each block of groups of one domain; exact for means over groups of one size."""
    whole, noise = grid.centred, [mean_noise(own) for own in grid.centred.without]
    for shift, own in without_each_block(whole.without[domain]):
        effects = whole.effects.copy()
        effects[domain] += shift
        yield model.with_effects(effects, [*noise[:domain], own, *noise[domain + 1 :]])


def without_each_block(
    without: Float[np.ndarray, "groups seeds heads"],
) -> Iterator[tuple[Float[np.ndarray, "seeds heads"], Float[np.ndarray, "seeds seeds"]]]:
    """By how much effects change without each block of groups, and their sampling covariance over heads then.

    Args:
        without: centred effects on all examples of a domain but those of one group, for every group.
    """
    count, heads = len(without), without.shape[2]
    alone = (1 - count) * (without - without.mean(axis=0))  # of the groups themselves, less their mean
    blocks = min(BLOCKS, count)
    dealt = np.random.default_rng(0).permutation(count) % blocks
    squares = [_squares(alone[dealt == block]) for block in range(blocks)]
    for block in range(blocks):
        left = int((dealt != block).sum())
        shift = -alone[dealt == block].sum(axis=0) / left
        rest = sum(squares) - squares[block] - left * shift @ shift.T
        yield shift, rest / (left * (left - 1) * (heads - 1))


def _squares(alone: Float[np.ndarray, "groups seeds heads"]) -> Float[np.ndarray, "seeds seeds"]:
    return np.einsum("gsh,gth->st", alone, alone, optimize=True)
