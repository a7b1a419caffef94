"""Spread of a head's effect over cells beyond noise: does the head matter as much in every seed?

The effects of a head in the cells are estimates with sampling covariance S; cells that share examples have covariances
beside the diagonal. If the true effects in cells like these have the variance v, their contrasts over cells (Helmert's,
so that the mean is gone) are normal with covariance V + v I, and

    Q(v) = sum over k of z_k^2 / (d_k + v),    d the eigenvalues of V, z the contrasts on its eigenvectors,

has a chi-squared distribution with as many degrees of freedom as there are contrasts. The estimate of v is that of
moments, (sum z^2 - sum d) / (C - 1): the variance over cells less what noise makes of it, which may be below 0. The
interval holds every v that Q does not refuse (for independent cells the Q-profile of Viechtbauer 2007). As S is itself
estimated from groups of examples, the upper quantile is that of Hotelling's T^2.

Shapes: `cells` = cells of a line, `heads` = heads measured in all of them.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from scipy import linalg, stats

from analysis.inference.significance import SMALLEST, TIE

STEPS = 80
"""Halvings of an interval in which an end is looked for: beyond what floats can tell."""

PerHead = Float[np.ndarray, " heads"]


@dataclass(frozen=True, eq=False)
class Spread:
    """What cells make of the effect of each head, in the metric's unit.

    Attributes:
        mean: mean effect over the cells.
        mean_low: lower end of its interval, of these cells and of examples like these.
        mean_high: upper end.
        variance: variance of the true effects over cells like these; below 0 where noise alone makes more.
        value: its root; 0 where the variance is below 0.
        low: lower end of the interval of the root.
        high: upper end.
        p: chance of effects that differ so much between cells, were they the same in all.
    """

    mean: PerHead
    mean_low: PerHead
    mean_high: PerHead
    variance: PerHead
    value: PerHead
    low: PerHead
    high: PerHead
    p: PerHead


def spread(
    effects: Float[np.ndarray, "cells heads"],
    covariances: Float[np.ndarray, "heads cells cells"],
    groups: int,
    level: float,
) -> Spread:
    """Mean and spread over cells of the effect of every head.

    Args:
        effects: in each cell.
        covariances: sampling covariances of a head's effects between cells.
        groups: groups of examples that these were estimated from, more than there are cells.
        level: probability that intervals hold.
    """
    cells, free = len(effects), len(effects) - 1
    mean = effects.mean(axis=0)
    error = np.sqrt(np.maximum(covariances.sum(axis=(1, 2)), 0)) / cells
    half = stats.t.ppf((1 + level) / 2, groups - 1) * error
    contrasts = linalg.helmert(cells)
    noise, axes = np.linalg.eigh(contrasts @ covariances @ contrasts.T)
    noise = np.maximum(noise, 0)
    z = np.einsum("hck,hc->hk", axes, (contrasts @ effects).T)
    z = np.where(np.abs(z) < TIE, 0.0, z)
    variance = (np.square(z).sum(axis=1) - noise.sum(axis=1)) / free
    hotelling = (groups - 1) * free / (groups - free)
    most = hotelling * float(stats.f.ppf((1 + level) / 2, free, groups - free))
    least = float(stats.chi2.ppf((1 - level) / 2, free))
    return Spread(
        mean=mean,
        mean_low=mean - half,
        mean_high=mean + half,
        variance=variance,
        value=np.sqrt(np.maximum(variance, 0)),
        low=np.sqrt(_solution(z, noise, most)),
        high=np.sqrt(_solution(z, noise, least)),
        p=np.maximum(stats.f.sf(_q(z, noise, np.zeros(len(z))) / hotelling, free, groups - free), SMALLEST),
    )


def _q(
    z: Float[np.ndarray, "heads contrasts"], noise: Float[np.ndarray, "heads contrasts"], variance: PerHead
) -> PerHead:
    """Q of a variance; contrasts that are nought are so at any noise."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(z == 0, 0.0, np.square(z) / (noise + variance[:, None])).sum(axis=1)


def _solution(
    z: Float[np.ndarray, "heads contrasts"], noise: Float[np.ndarray, "heads contrasts"], quantile: float
) -> PerHead:
    """The variance at which Q falls to a quantile; 0 where it is below it from the start."""
    low, high = np.zeros(len(z)), np.square(z).sum(axis=1) / quantile
    for _ in range(STEPS):
        middle = (low + high) / 2
        above = _q(z, noise, middle) > quantile
        low, high = np.where(above, middle, low), np.where(above, high, middle)
    return high * (_q(z, noise, np.zeros(len(z))) > quantile)
