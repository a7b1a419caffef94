"""Variance components by restricted maximum likelihood, the sampling covariance of the effects known.

The effects of a cell, centred over heads, are contrasts without a mean: y ~ N(0, V),

    V = s_layer K_layer + s_head K_head + s_domain K_domain + s_seed K_seed + s_cell I + N,

with K the matrices of what cells have in common and N the sampling covariance, whose blocks between the seeds of a
domain are not zero. Variances are kept at 0 or above. The steps are Fisher's, each a least-squares problem without
negative solutions.

N is averaged over heads, for every two seeds of a domain. Each head's own noise would bias the variances towards 0: the
noise of a head grows with its effect, so that a likelihood which trusts heads of little noise most hears of those
without an effect (`docs/statistics.md` has the simulation). The moments use no weights and are not touched by this.

With one noise for all heads V falls apart into a small matrix over cells for each contrast, once contrasts are turned
so that layers are orthogonal.

Shapes: `contrasts` = heads less 1, `cells` = domains times seeds, `components` = those that the grid can tell apart.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Float
from scipy import linalg, optimize

from analysis.components.moments import Component, Components, moments
from analysis.components.noisy_grid import NoisyGrid

MOST_STEPS, MOST_HALVINGS = 100, 20
TOLERANCE = 1e-9
"""Steps end where the log likelihood rises by less than this."""

FLOOR = 1e-9
"""Least variance of single cells, as a share of the variance of effects: without noise V would have no inverse."""


class NoConvergenceError(Exception):
    """The steps do not end."""


@dataclass(frozen=True, eq=False)
class Model:
    """The likelihood of a grid.

    Attributes:
        names: the components, in the order of every vector of variances.
        effects: contrasts of the effects, turned so that layers are orthogonal.
        common: what cells have in common by each component, for each contrast.
        noise: sampling covariance of the effects, averaged over heads, and the least variance of single cells.
        layers: mean over contrasts of what the heads of a layer have in common.
    """

    names: tuple[Component, ...]
    effects: Float[np.ndarray, "contrasts cells"]
    common: Float[np.ndarray, "components contrasts cells cells"]
    noise: Float[np.ndarray, "cells cells"]
    layers: float

    @classmethod
    def of(cls, grid: NoisyGrid) -> "Model":
        """The likelihood of a grid."""
        domains, seeds, heads = grid.shape
        basis = linalg.null_space(np.ones((1, heads)))
        member = basis.T @ (grid.layers[:, None] == np.unique(grid.layers))
        weights, turn = np.linalg.eigh(member @ member.T)
        effects = (grid.effects @ basis @ turn).reshape(-1, heads - 1).T
        noise = np.asarray(linalg.block_diag(*(mean_noise(own) for own in grid.centred.without)))
        floor = FLOOR * float(np.square(effects).mean())
        names = tuple(moments(grid))
        common = np.stack([_common(name, domains, seeds, weights) for name in names])
        return cls(names, effects, common, noise + floor * np.eye(domains * seeds), float(weights.mean()))

    def fit(self, start: Float[np.ndarray, " components"]) -> Float[np.ndarray, " components"]:
        """The variances of greatest likelihood, from where to begin.

        Raises:
            NoConvergenceError: when the steps do not end.
        """
        point = Point(self, np.maximum(start, 0))
        for _ in range(MOST_STEPS):
            following = self._following(point)
            if following.likelihood - point.likelihood < TOLERANCE:
                return following.variances
            point = following
        raise NoConvergenceError

    def _following(self, point: "Point") -> "Point":
        """The point a step further; a part of the step where all of it would make the likelihood smaller."""
        step = point.step() - point.variances
        parts = (Point(self, point.variances + step / 2**halving) for halving in range(MOST_HALVINGS))
        return next((part for part in parts if part.likelihood >= point.likelihood), point)


@dataclass(frozen=True, eq=False)
class Point:
    """The likelihood at some variances."""

    model: Model
    variances: Float[np.ndarray, " components"]

    @cached_property
    def covariance(self) -> Float[np.ndarray, "contrasts cells cells"]:
        """V, for each contrast."""
        return np.einsum("p,pkij->kij", self.variances, self.model.common) + self.model.noise

    @cached_property
    def inverse(self) -> Float[np.ndarray, "contrasts cells cells"]:
        """The inverse of V, for each contrast."""
        return np.linalg.inv(self.covariance)

    @cached_property
    def weighted(self) -> Float[np.ndarray, "contrasts cells"]:
        """The inverse of V times the effects."""
        return (self.inverse @ self.model.effects[..., None])[..., 0]

    @cached_property
    def likelihood(self) -> float:
        """The logarithm of the restricted likelihood, but for a constant."""
        return -0.5 * float(np.linalg.slogdet(self.covariance)[1].sum() + (self.model.effects * self.weighted).sum())

    def step(self) -> Float[np.ndarray, " components"]:
        """The variances, none negative, at which the quadratic that fits the likelihood here is largest."""
        times = self.inverse @ self.model.common
        information = np.einsum("pkij,qkji->pq", times, times, optimize=True) / 2
        squares = np.einsum("ki,pkij,kj->p", self.weighted, self.model.common, self.weighted, optimize=True)
        gradient = (squares - np.einsum("pkii->p", times)) / 2
        factor = linalg.cholesky(information, lower=True)
        aim = linalg.solve_triangular(factor, information @ self.variances + gradient, lower=True)
        return optimize.nnls(factor.T, aim)[0]


def reml(grid: NoisyGrid) -> Components | None:
    """The components of a grid by restricted maximum likelihood, beside those of `moments`; None where it has no end.

    The part of layers is, as there, what it adds to the variance over the heads of a cell.
    """
    model, first = Model.of(grid), moments(grid)
    try:
        found = model.fit(np.array([float(first[name]) for name in model.names]))
    except (NoConvergenceError, np.linalg.LinAlgError):
        return None
    values: Components = dict(zip(model.names, found.tolist(), strict=True))
    if Component.LAYER in values:
        values[Component.LAYER] *= model.layers
    return values


def mean_noise(without: Float[np.ndarray, "groups seeds heads"]) -> Float[np.ndarray, "seeds seeds"]:
    """The sampling covariance of the effects of every two seeds of a domain, over the heads; effects are centred."""
    count, heads = len(without), without.shape[2]
    deviation = without - without.mean(axis=0)
    return (count - 1) / count * np.einsum("gsh,gth->st", deviation, deviation, optimize=True) / (heads - 1)


def _common(
    name: Component, domains: int, seeds: int, layers: Float[np.ndarray, " contrasts"]
) -> Float[np.ndarray, "contrasts cells cells"]:
    """What cells have in common by a component, domains by seeds, for each contrast."""
    every_domain, every_seed = np.ones((domains, domains)), np.ones((seeds, seeds))
    between = {
        Component.LAYER: np.kron(every_domain, every_seed),
        Component.HEAD: np.kron(every_domain, every_seed),
        Component.DOMAIN: np.kron(np.eye(domains), every_seed),
        Component.SEED: np.kron(every_domain, np.eye(seeds)),
        Component.CELL: np.eye(domains * seeds),
    }[name]
    weights = layers if name is Component.LAYER else np.ones_like(layers)
    return weights[:, None, None] * between
