"""Variance components by restricted maximum likelihood, with the full sampling covariance of the effects known.

The effects of a cell, centred over heads, are contrasts without a mean: y ~ N(0, V),

    V = s_layer K_layer + s_head K_head + s_domain K_domain + s_seed K_seed + s_cell I + N,

with K the matrices of what cells have in common and N the sampling covariance, whose blocks between the seeds of a
domain are not zero. Variances are kept at 0 or above. The steps are those of average information (Gilmour, Thompson and
Cullis 1995), each a least-squares problem without negative solutions.

Domains share no examples, so V is one block for each domain and what they have in common; everything is computed from
matrices of one domain (Woodbury). N is shrunk towards its average over heads for each two seeds (Ledoit and Wolf 2004):
as it stands, with about as many effects as groups of examples, its inverse would be far too large in some directions.

Shapes: `domains`, `seeds` as in `noisy_grid`; `contrasts` = heads less 1; `size` = seeds times contrasts, the effects
of one domain; `components` = those that the grid can tell apart.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Float
from scipy import linalg, optimize

from analysis.components.moments import Component, Components, moments
from analysis.components.noisy_grid import NoisyGrid

MOST_STEPS = 50
TOLERANCE = 1e-6
"""Steps end where the log likelihood rises by less than this."""

FLOOR = 1e-6
"""Least variance of single cells, as a share of the variance of effects: without noise V would have no inverse."""

Matrix = Float[np.ndarray, "size size"]


class NoConvergenceError(Exception):
    """The likelihood rises without end, or the steps do."""


@dataclass(frozen=True, eq=False)
class Model:
    """The likelihood of a grid.

    Attributes:
        effects: contrasts of the effects of each domain, seeds by contrasts.
        noise: their sampling covariance.
        layers: covariance over contrasts of effects that the heads of a layer have in common.
        seeds: number of seeds.
        names: the components, in the order of every vector of variances.
    """

    effects: Float[np.ndarray, "domains size"]
    noise: Float[np.ndarray, "domains size size"]
    layers: Float[np.ndarray, "contrasts contrasts"]
    seeds: int
    names: tuple[Component, ...]

    @classmethod
    def of(cls, grid: NoisyGrid, *, shrink: bool = True) -> "Model":
        """The likelihood of a grid; `shrink` as the first lines of this file say."""
        domains, seeds, heads = grid.shape
        basis = linalg.null_space(np.ones((1, heads)))  # heads contrasts
        layer = grid.layers[:, None] == np.unique(grid.layers)
        own = [without @ basis for without in grid.without]
        noise = np.stack([sampling_covariance(each, shrink=shrink) for each in own])
        effects = (grid.effects @ basis).reshape(domains, -1)
        between = basis.T @ (layer @ layer.T.astype(float)) @ basis
        return cls(effects, noise, between, seeds, _names(grid))

    @property
    def contrasts(self) -> int:
        """Contrasts over heads."""
        return len(self.layers)

    @cached_property
    def floor(self) -> float:
        """Least variance of single cells."""
        return FLOOR * float(np.square(self.effects).mean())

    def fit(self, start: Float[np.ndarray, " components"]) -> Float[np.ndarray, " components"]:
        """The variances of greatest likelihood, from where to begin.

        Raises:
            NoConvergenceError: when the steps do not end.
        """
        variances = np.maximum(start, 0)
        point = Point(self, variances)
        for _ in range(MOST_STEPS):
            step = point.step() - variances
            for halving in range(20):
                following = Point(self, variances + step / 2**halving)
                if following.likelihood >= point.likelihood:
                    break
            else:
                return variances
            gain = following.likelihood - point.likelihood
            variances, point = following.variances, following
            if gain < TOLERANCE:
                return variances
        raise NoConvergenceError

    def over_seeds(self, matrix: Matrix) -> Float[np.ndarray, "contrasts contrasts"]:
        """The sum of the blocks of all pairs of seeds."""
        return matrix.reshape(self.seeds, self.contrasts, self.seeds, self.contrasts).sum(axis=(0, 2))

    def summed(self, vectors: Float[np.ndarray, "*any size"]) -> Float[np.ndarray, "*any size"]:
        """What every seed has where it has the sum over seeds."""
        each = vectors.reshape(*vectors.shape[:-1], self.seeds, self.contrasts)
        return np.broadcast_to(each.sum(axis=-2, keepdims=True), each.shape).reshape(vectors.shape)

    def by_layer(self, vectors: Float[np.ndarray, "*any size"]) -> Float[np.ndarray, "*any size"]:
        """Each seed's vector times the covariance of layers."""
        each = vectors.reshape(*vectors.shape[:-1], self.seeds, self.contrasts)
        return (each @ self.layers).reshape(vectors.shape)


class Point:
    """The likelihood at some variances, with its first derivatives and the average information."""

    def __init__(self, model: Model, variances: Float[np.ndarray, " components"]) -> None:
        self.model, self.variances = model, variances
        value = dict(zip(model.names, variances.tolist(), strict=True))
        ones, own = np.ones((model.seeds, model.seeds)), np.eye(model.contrasts)
        size = model.effects.shape[1]
        blocks = model.noise + (value[Component.CELL] + model.floor) * np.eye(size)
        blocks += value.get(Component.DOMAIN, 0.0) * np.kron(ones, own)
        shared = value.get(Component.SEED, 0.0) * np.eye(size) + value[Component.HEAD] * np.kron(ones, own)
        shared += value.get(Component.LAYER, 0.0) * np.kron(ones, model.layers)
        factors = [linalg.cholesky(block, lower=True) for block in blocks]
        self.inverse = np.stack([linalg.cho_solve((factor, True), np.eye(size)) for factor in factors])
        self.total = self.inverse.sum(axis=0)
        inner = np.eye(size) + shared @ self.total
        self.between = linalg.solve(inner, shared)
        self.weighted = self._apply(model.effects)
        log_size = 2 * sum(np.log(np.diag(factor)).sum() for factor in factors) + np.linalg.slogdet(inner)[1]
        self.likelihood = -0.5 * float(log_size + (model.effects * self.weighted).sum())

    def step(self) -> Float[np.ndarray, " components"]:
        """The variances, none negative, at which the quadratic that fits the likelihood here is largest."""
        directions = [self._times(name, self.weighted) for name in self.model.names]
        information = np.array([[(a * self._apply(b)).sum() for b in directions] for a in directions]) / 2
        squares = np.array([(self.weighted * each).sum() for each in directions])
        gradient = (squares - self._traces()) / 2
        factor = linalg.cholesky(information, lower=True)
        aim = linalg.solve_triangular(factor, information @ self.variances + gradient, lower=True)
        return optimize.nnls(factor.T, aim)[0]

    def _apply(self, vectors: Float[np.ndarray, "domains size"]) -> Float[np.ndarray, "domains size"]:
        """The inverse of V times a vector."""
        own = (self.inverse @ vectors[..., None])[..., 0]
        return own - self.inverse @ (self.between @ own.sum(axis=0))

    def _times(self, name: Component, vectors: Float[np.ndarray, "domains size"]) -> Float[np.ndarray, "domains size"]:
        """What cells have in common by a component, times a vector."""
        if name is Component.CELL:
            return vectors
        if name is Component.DOMAIN:
            return self.model.summed(vectors)
        everywhere = np.broadcast_to(vectors.sum(axis=0), vectors.shape)
        if name is Component.SEED:
            return everywhere
        heads = self.model.summed(everywhere)
        return heads if name is Component.HEAD else self.model.by_layer(heads)

    def _traces(self) -> Float[np.ndarray, " components"]:
        """The trace of the inverse of V times what cells have in common, of every component."""
        model = self.model
        diagonal = self.inverse - self.inverse @ self.between @ self.inverse
        single = diagonal.sum(axis=0)
        across = self.total - self.total @ self.between @ self.total
        heads = model.over_seeds(across)
        found = {
            Component.LAYER: (heads * model.layers).sum(),
            Component.HEAD: np.trace(heads),
            Component.DOMAIN: np.trace(model.over_seeds(single)),
            Component.SEED: np.trace(across),
            Component.CELL: np.trace(single),
        }
        return np.array([found[name] for name in model.names])


def reml(grid: NoisyGrid) -> Components | None:
    """The components of a grid by restricted maximum likelihood, beside those of `moments`; None where it has no end.

    The part of layers is, as there, what it adds to the variance over the heads of a cell.
    """
    model, first = Model.of(grid), moments(grid)
    last = list(first)[-1]  # what crosses all axes of the grid
    start = {**first, Component.CELL: first[last]}
    try:
        found = model.fit(np.array([float(start[name]) for name in model.names]))
    except (NoConvergenceError, linalg.LinAlgError):
        return None
    values: Components = dict(zip(model.names, found.tolist(), strict=True))
    if Component.LAYER in values:
        values[Component.LAYER] *= float(np.trace(model.layers)) / model.contrasts
    if last is not Component.CELL:
        values[last] = values.pop(Component.CELL)
    return values


def sampling_covariance(without: Float[np.ndarray, "groups seeds contrasts"], *, shrink: bool) -> Matrix:
    """The covariance of the effects of a domain, seeds by contrasts, over samples of its examples, by a jackknife.

    Args:
        without: contrasts of the effects without each group of examples.
        shrink: towards the same covariance with all contrasts alike and independent of each other, as much as the
            groups say that it errs (Ledoit and Wolf 2004).
    """
    count, seeds, contrasts = without.shape
    deviation = (without - without.mean(axis=0)).reshape(count, -1)
    covariance = (count - 1) / count * deviation.T @ deviation
    if not shrink:
        return covariance
    blocks = covariance.reshape(seeds, contrasts, seeds, contrasts)
    target = np.kron(np.einsum("ahbh->ab", blocks) / contrasts, np.eye(contrasts))
    apart = float(np.square(covariance - target).sum())
    sizes = (count - 1) * np.square(deviation).sum(axis=1)  # of each group's own estimate of the covariance
    error = float(np.square(sizes).sum() / count**2 - np.square(covariance).sum() / count)
    weight = min(1.0, max(0.0, error / apart)) if apart > 0 else 0.0
    return (1 - weight) * covariance + weight * target


def _names(grid: NoisyGrid) -> tuple[Component, ...]:
    """The components that the grid can tell apart; what crosses all of its axes is called that of cells."""
    domains, seeds, heads = grid.shape
    crossed = (Component.DOMAIN, Component.SEED) if domains > 1 and seeds > 1 else ()
    layer = (Component.LAYER,) if 1 < len(np.unique(grid.layers)) < heads else ()
    return (*layer, Component.HEAD, *crossed, Component.CELL)
