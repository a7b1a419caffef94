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
so that layers are orthogonal; contrasts of equal layers have equal matrices, and of their effects only the products of
cells are needed.

Shapes: `cells` = domains times seeds, `components` = those that the grid can tell apart, `kinds` = contrasts that
differ in what a layer's heads have in common.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from jaxtyping import Float, Int
from scipy import linalg, optimize

from analysis.components.moments import Component, Components, moments, told_apart
from analysis.components.noisy_grid import NoisyGrid
from analysis.correlation.coefficients import centred

MOST_STEPS, MOST_HALVINGS = 100, 20
TOLERANCE = 1e-9
"""Steps end where the log likelihood rises by less than this."""

DIGITS = 9
"""Contrasts are of one kind whose weights of layers are equal to so many digits."""

FLOOR = 1e-9
"""Least variance of single cells, as a share of the variance of effects: without noise V would have no inverse."""


class NoConvergenceError(Exception):
    """The steps do not end."""


@dataclass(frozen=True, eq=False)
class Contrasts:
    """Orthogonal differences of heads, turned so that those of layers are orthogonal too.

    Attributes:
        turn: what makes contrasts of the effects of heads.
        kind: which kind each contrast is of.
        weights: what the heads of a layer have in common in the contrasts of each kind.
    """

    turn: Float[np.ndarray, "heads contrasts"]
    kind: Int[np.ndarray, " contrasts"]
    weights: Float[np.ndarray, " kinds"]

    @classmethod
    def of(cls, layers: Int[np.ndarray, " heads"]) -> "Contrasts":
        """The contrasts of heads that are in these layers."""
        basis = linalg.null_space(np.ones((1, len(layers))))
        member = basis.T @ (layers[:, None] == np.unique(layers))
        weights, turn = np.linalg.eigh(member @ member.T)
        kinds, kind = np.unique(weights.round(DIGITS), return_inverse=True)
        return cls(basis @ turn, kind, kinds)

    @property
    def counts(self) -> Float[np.ndarray, " kinds"]:
        """How many contrasts there are of each kind."""
        return np.bincount(self.kind).astype(float)

    def products(self, effects: Float[np.ndarray, "domains seeds heads"]) -> Float[np.ndarray, "kinds cells cells"]:
        """The products of the effects of every two cells, added up over the contrasts of each kind."""
        own = (effects @ self.turn).reshape(-1, len(self.kind))
        return np.stack([own[:, self.kind == at] @ own[:, self.kind == at].T for at in range(len(self.weights))])


@dataclass(frozen=True, eq=False)
class Model:
    """The likelihood of a grid.

    Attributes:
        names: the components, in the order of every vector of variances.
        contrasts: the contrasts of the heads.
        products: products of the effects of every two cells, added up over the contrasts of each kind.
        common: what cells have in common by each component, for each kind.
        noise: sampling covariance of the effects, averaged over heads, and the least variance of single cells.
    """

    names: tuple[Component, ...]
    contrasts: Contrasts
    products: Float[np.ndarray, "kinds cells cells"]
    common: Float[np.ndarray, "components kinds cells cells"]
    noise: Float[np.ndarray, "cells cells"]

    @classmethod
    def of(cls, grid: NoisyGrid) -> "Model":
        """The likelihood of a grid."""
        domains, seeds, _ = grid.shape
        names, contrasts = told_apart(grid), Contrasts.of(grid.layers)
        common = np.stack([_common(name, domains, seeds, contrasts.weights) for name in names])
        noise = [mean_noise(own) for own in grid.centred.without]
        return cls(names, contrasts, contrasts.products(grid.effects), common, _noise(noise, grid.effects))

    def with_effects(
        self, effects: Float[np.ndarray, "domains seeds heads"], noise: Sequence[Float[np.ndarray, "seeds seeds"]]
    ) -> "Model":
        """The likelihood of other effects of the same cells and heads, with this noise on each domain."""
        return replace(self, products=self.contrasts.products(effects), noise=_noise(noise, effects))

    def components(self, variances: Float[np.ndarray, " components"]) -> Components:
        """The variances by name; that of layers as what it adds to the variance over the heads of a cell."""
        mean = float(self.contrasts.counts @ self.contrasts.weights / self.contrasts.counts.sum())
        scales = [mean if name is Component.LAYER else 1.0 for name in self.names]
        return dict(zip(self.names, (variances * scales).tolist(), strict=True))

    def fit(self, start: Float[np.ndarray, " components"]) -> "Point":
        """The point of greatest likelihood, from where to begin.

        Raises:
            NoConvergenceError: when the steps do not end.
        """
        point = Point(self, np.maximum(start, 0))
        for _ in range(MOST_STEPS):
            following = self._following(point)
            if following.likelihood - point.likelihood < TOLERANCE:
                return following
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
    def covariance(self) -> Float[np.ndarray, "kinds cells cells"]:
        """V, for each kind of contrast."""
        return np.einsum("p,pkij->kij", self.variances, self.model.common) + self.model.noise

    @cached_property
    def inverse(self) -> Float[np.ndarray, "kinds cells cells"]:
        """The inverse of V, for each kind of contrast."""
        return np.linalg.inv(self.covariance)

    @cached_property
    def likelihood(self) -> float:
        """The logarithm of the restricted likelihood, but for a constant; minus infinity where V is no covariance."""
        signs, sizes = np.linalg.slogdet(self.covariance)
        if (signs <= 0).any():
            return -np.inf
        return -0.5 * float(self.model.contrasts.counts @ sizes + (self.inverse * self.model.products).sum())

    @property
    def components(self) -> Components:
        """The variances by name; that of layers as what it adds to the variance over the heads of a cell."""
        return self.model.components(self.variances)

    @property
    def beyond(self) -> Components:
        """The components that the quadratic which fits the likelihood here has at its top, were some negative there.

        Where no variance is held at 0 these are the components themselves.
        """
        information, gradient = self._quadratic
        size = np.sqrt(np.diag(information))  # of a variance near 0 there is 1e18 times more: each in its own unit
        further = linalg.solve(information / np.outer(size, size), gradient / size, assume_a="pos") / size
        return self.model.components(self.variances + further)

    def step(self) -> Float[np.ndarray, " components"]:
        """The variances, none negative, at which the quadratic that fits the likelihood here is largest."""
        information, gradient = self._quadratic
        factor = linalg.cholesky(information, lower=True)
        aim = linalg.solve_triangular(factor, information @ self.variances + gradient, lower=True)
        return optimize.nnls(factor.T, aim)[0]

    @cached_property
    def _quadratic(self) -> tuple[Float[np.ndarray, "components components"], Float[np.ndarray, " components"]]:
        """Fisher's information of the variances, and the gradient of the likelihood."""
        counts, times = self.model.contrasts.counts, self.inverse @ self.model.common
        information = np.einsum("k,pkij,qkji->pq", counts, times, times, optimize=True) / 2
        squares = np.einsum("pkij,kji->p", times, self.inverse @ self.model.products, optimize=True)
        return information, (squares - np.einsum("k,pkii->p", counts, times)) / 2


def reml(grid: NoisyGrid) -> Components | None:
    """The components of a grid by restricted maximum likelihood, beside those of `moments`; None where it has no end.

    The part of layers is, as there, what it adds to the variance over the heads of a cell.
    """
    found = fitted(Model.of(grid), moments(grid))
    return found and found.components


def fitted(model: Model, start: Components) -> "Point | None":
    """The point of greatest likelihood, from components to begin with; None where the steps have no end."""
    try:
        return model.fit(np.array([float(start[name]) for name in model.names]))
    except (NoConvergenceError, np.linalg.LinAlgError):
        return None


def mean_noise(without: Float[np.ndarray, "groups seeds heads"]) -> Float[np.ndarray, "seeds seeds"]:
    """The sampling covariance of the effects of every two seeds of a domain, over the heads; effects are centred."""
    count, heads = len(without), without.shape[2]
    deviation = without - without.mean(axis=0)
    return (count - 1) / count * np.einsum("gsh,gth->st", deviation, deviation, optimize=True) / (heads - 1)


def _noise(
    noise: Sequence[Float[np.ndarray, "seeds seeds"]], effects: Float[np.ndarray, "domains seeds heads"]
) -> Float[np.ndarray, "cells cells"]:
    """The noise of all cells, of which those of two domains have none in common, and the least variance of a cell."""
    least = FLOOR * float(np.square(centred(effects)).mean())
    return np.asarray(linalg.block_diag(*noise)) + least * np.eye(len(noise) * len(noise[0]))


def _common(
    name: Component, domains: int, seeds: int, layers: Float[np.ndarray, " kinds"]
) -> Float[np.ndarray, "kinds cells cells"]:
    """What cells have in common by a component, domains by seeds, for each kind of contrast."""
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
