"""Which heads carry the correlation: the part of each, r without the largest, and whether the same ones lead.

These need the effects alone, so they can be told of published tables too. All are of the effects as measured.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int
from scipy import stats

from analysis.correlation.coefficients import Heads, centred, pearson
from analysis.defaults import DEFAULTS
from analysis.inference import resampling


@dataclass(frozen=True)
class Overlap:
    """How many of the k most important heads of one domain are among the k of another.

    Attributes:
        k: heads taken on each.
        shared: heads in both; not whole where the k-th head is one of equals, each of which counts with its chance.
        expected: k^2 / heads: what chance gives.
        p: chance of at least so many (hypergeometric; of the whole heads in `shared`).
    """

    k: int
    shared: float
    expected: float
    p: float


def contributions(a: Heads, b: Heads) -> Heads:
    """The part of each head in r; they add up to it."""
    a, b = centred(a), centred(b)
    return a * b / np.sqrt((a @ a) * (b @ b))


def without_each(a: Heads, b: Heads) -> Heads:
    """R of all heads but one, for each; NaN where the others are equal."""
    others = ~np.eye(a.size, dtype=bool)
    count = (a.size, a.size - 1)
    return pearson(np.tile(a, (a.size, 1))[others].reshape(count), np.tile(b, (a.size, 1))[others].reshape(count))


def by_size(*effects: Float[np.ndarray, "... heads"]) -> Int[np.ndarray, "... heads"]:
    """Heads from the largest effect to the smallest, each domain's in units of its root mean square.

    Of several domains, the size of a head is the largest of its sizes: one which matters on a single domain is large.
    """
    scales = [np.sqrt(np.square(own).mean(axis=-1, keepdims=True)) for own in effects]
    tiny = np.finfo(float).tiny
    sizes = [np.abs(own) / np.maximum(scale, tiny) for own, scale in zip(effects, scales, strict=True)]
    return np.argsort(-np.max(sizes, axis=0), axis=-1, kind="stable")


def overlap(a: Heads, b: Heads, k: int) -> Overlap:
    """The overlap of the k heads whose removal costs most on each domain."""
    shared = float(_leading(a, k) @ _leading(b, k))
    p = float(stats.hypergeom.sf(np.floor(shared + 1e-9) - 1, a.size, k, k))
    return Overlap(k, shared, k * k / a.size, p)


def over_heads(
    a: Heads,
    b: Heads,
    rng: np.random.Generator,
    level: float = 0.95,
    resamples: int = DEFAULTS["resamples"],
    coefficient: Callable[[np.ndarray, np.ndarray], np.ndarray] = pearson,
) -> tuple[float, float] | None:
    """Interval of r, or of another coefficient, over heads: percentiles of a bootstrap that draws heads again.

    It answers another question than the intervals over examples: how r would be in other heads like these, were heads
    independent of each other, which heads of one layer are not. None where some draws have no r.
    """
    values = []
    for start in range(0, resamples, 1000):
        drawn = rng.integers(a.size, size=(min(1000, resamples - start), a.size))
        values.append(coefficient(a[drawn], b[drawn]))
    r = np.concatenate(values)
    if np.isnan(r).any():
        return None
    low, high = resampling.percentile(r, 1 - level)
    return float(low), float(high)


def _leading(effects: Heads, k: int) -> Float[np.ndarray, " heads"]:
    """How surely each head is among the k of lowest effect: 1, 0, or a share where several are equal to the k-th."""
    edge = np.sort(effects)[k - 1]
    tied = np.isclose(effects, edge, rtol=0, atol=1e-9)
    surely = (effects < edge) & ~tied
    return surely + tied * (k - surely.sum()) / tied.sum()
