"""Variance components by moments: averages, over pairs of cells, of the covariance of effects over heads, less noise.

Two cells that differ in domain and in seed share what belongs to the head alone; two of one domain share what belongs
to the head on that domain besides; two of one seed what belongs to the head under that seed; a cell shares everything
with itself. Where both cells are of one domain, their examples are the same and the covariance has noise in it, which
the sampling covariance of the effects gives: trace(S (I - 11'/H)) / (H - 1).

In a full grid these are the estimates of the analysis of variance (Searle, Casella and McCulloch 1992, Variance
Components, chapter 4) less noise. They ask for no distribution, and may be negative.

Shapes: as in `noisy_grid`; `_` = one for each seed, or each group of examples, that is left out.
"""

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from jaxtyping import Float

from analysis.components.noisy_grid import NoisyGrid

Values = Float[np.ndarray, " _"] | float


class Component(StrEnum):
    """What a part of the variance of effects over heads belongs to."""

    LAYER = "layer"
    HEAD = "head"
    DOMAIN = "head_domain"
    SEED = "head_seed"
    CELL = "head_domain_seed"


Components = dict[Component, Values]


@dataclass(frozen=True)
class Squares:
    """Squares, added up over heads, of sums of effects over cells; on all examples, or one for each group left out.

    Attributes:
        everything: the square of the sum over all cells.
        domains: squares of the sums over the seeds of each domain, added up.
        seeds: squares of the sums over the domains of each seed, added up.
        cells: squares of single cells, added up.
    """

    everything: Values
    domains: Values
    seeds: Values
    cells: Values

    def less(self, summed: Values, single: Values) -> "Squares":
        """The squares without the noise of sums over the seeds of a domain, and of single cells."""
        return Squares(self.everything - summed, self.domains - summed, self.seeds - single, self.cells - single)


def moments(grid: NoisyGrid) -> Components:
    """The components of a grid; only those that its axes can tell apart.

    Returns:
        Variances in the square of the metric's unit; they add up to the variance of true effects over the heads of a
        cell. The part of layers is there where some layer has several heads and there are several layers.
    """
    return _components(grid, *(_squares(part) for part in (grid.centred, grid.within_layers)))


def told_apart(grid: NoisyGrid) -> tuple[Component, ...]:
    """The components that the axes of a grid can tell apart."""
    nothing = Squares(0.0, 0.0, 0.0, 0.0)
    return tuple(_components(grid, nothing, nothing))


def noise_variance(grid: NoisyGrid) -> float:
    """The variance over the heads of a cell that sampling alone gives, on the average over cells."""
    domains, seeds, heads = grid.shape
    return sum(_noise(own)[1] for own in grid.centred.without) / (domains * seeds * (heads - 1))


def without_each_seed(grid: NoisyGrid) -> Components:
    """The components of all seeds but one, for every seed; there must be three or more."""
    left = [moments(grid.without_seed(seed)) for seed in range(grid.shape[1])]
    return {name: np.array([own[name] for own in left]) for name in left[0]}


def without_each_group(grid: NoisyGrid, domain: int) -> Components:
    """The components on all examples but those of one group of a domain, for every group; there must be three."""
    return _components(grid, *(_squares_without(part, domain) for part in (grid.centred, grid.within_layers)))


def _components(grid: NoisyGrid, squares: Squares, within: Squares) -> Components:
    """The components, from squares of effects centred over all heads, and over the heads of each layer."""
    domains, seeds, heads = grid.shape
    layers = len(np.unique(grid.layers))
    found = _crossed(squares, domains, seeds, heads - 1)
    if 1 < layers < heads:
        in_layers = _crossed(within, domains, seeds, heads - layers)[Component.HEAD]
        found = {Component.LAYER: found[Component.HEAD] - in_layers, **found, Component.HEAD: in_layers}
    return found


def _crossed(squares: Squares, domains: int, seeds: int, free: int) -> Components:
    """The components of heads and what crosses them; `free` is the number of heads less the means taken off."""
    cells = domains * seeds
    same = squares.cells / (cells * free)
    one_domain = (squares.domains - squares.cells) / max(cells * (seeds - 1) * free, 1)
    one_seed = (squares.seeds - squares.cells) / max(cells * (domains - 1) * free, 1)
    if domains == 1:
        return {Component.HEAD: one_domain, Component.SEED: same - one_domain}
    if seeds == 1:
        return {Component.HEAD: one_seed, Component.DOMAIN: same - one_seed}
    mixed = squares.everything - squares.domains - squares.seeds + squares.cells
    apart = mixed / (cells * (domains - 1) * (seeds - 1) * free)
    return {
        Component.HEAD: apart,
        Component.DOMAIN: one_domain - apart,
        Component.SEED: one_seed - apart,
        Component.CELL: same - one_domain - one_seed + apart,
    }


def _squares(grid: NoisyGrid) -> Squares:
    """The squares on all examples; effects are centred."""
    effects = grid.effects
    found = Squares(
        float(_size(effects.sum(axis=(0, 1)))),
        float(_size(effects.sum(axis=1)).sum()),
        float(_size(effects.sum(axis=0)).sum()),
        float(_size(effects).sum()),
    )
    noise = [_noise(own) for own in grid.without]
    summed, single = map(sum, zip(*noise, strict=True))
    return found.less(summed, single)


def _squares_without(grid: NoisyGrid, domain: int) -> Squares:
    """The squares without each group of one domain; effects are centred."""
    own, others = grid.without[domain], np.delete(grid.effects, domain, axis=0)
    rest = others.sum(axis=0)
    found = Squares(
        _size(own.sum(axis=1) + rest.sum(axis=0)),
        _size(own.sum(axis=1)) + _size(others.sum(axis=1)).sum(),
        _size(own + rest).sum(axis=1),
        _size(own).sum(axis=1) + _size(others).sum(),
    )
    noise = [_noise_without(each) if i == domain else _noise(each) for i, each in enumerate(grid.without)]
    summed, single = map(sum, zip(*noise, strict=True))
    return found.less(summed, single)


def _noise(without: Float[np.ndarray, "groups seeds heads"]) -> tuple[float, float]:
    """The noise in the squares of one domain: of the sum over its seeds, and of its cells added up."""
    count, (summed, single) = len(without), _apart(without)
    return float((count - 1) / count * summed.sum()), float((count - 1) / count * single.sum())


def _noise_without(without: Float[np.ndarray, "groups seeds heads"]) -> tuple[Values, Values]:
    """The noise as of `_noise`, without each group; exact for means over groups of one size."""
    count, parts = len(without), _apart(without)
    summed, single = ((count - 1) / (count - 2) * (part.sum() - count / (count - 1) * part) for part in parts)
    return summed, single


def _apart(without: Float[np.ndarray, "groups seeds heads"]) -> tuple[np.ndarray, np.ndarray]:
    """How far effects without each group are from their mean: of the sum over seeds, and of cells added up."""
    deviation = without - without.mean(axis=0)
    return _size(deviation.sum(axis=1)), _size(deviation).sum(axis=1)


def _size(effects: Float[np.ndarray, "*any heads"]) -> Float[np.ndarray, "*any"]:
    """Sum of squares over heads."""
    return np.asarray(np.square(effects).sum(axis=-1))
