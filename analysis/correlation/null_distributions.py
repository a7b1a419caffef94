"""What r would be if nothing were there: two questions, each with its null.

*Sign flips*: is r more than noise makes? Under this null no head has an effect on either domain, so the outcomes with a
mask and without may change places in any group of examples; they do so for all heads at once, which keeps what heads
share, and in both cells at once where these share the group, which keeps what the cells share. *Permutation over
heads*: is it these heads, or any heads? Heads of one domain change places among all, within their attention kind, or
within their layer; the last asks whether r says more than "layer 6 matters". It takes heads within a stratum for
exchangeable.

p is the share of resamples whose r is at least as large, the observed one among them: one-sided, never 0.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from jaxtyping import Bool, Float, Int

from analysis.correlation.coefficients import Heads, centred, pearson
from analysis.defaults import DEFAULTS

AT_ONCE = 1_000

ROUNDING = 1e-12
"""Correlations that differ by less are equal."""


class NullName(StrEnum):
    """What r is held against."""

    SIGN_FLIPS = "sign_flips"
    HEADS = "heads"
    HEADS_WITHIN_KINDS = "heads_within_kinds"
    HEADS_WITHIN_LAYERS = "heads_within_layers"


@dataclass(frozen=True)
class Null:
    """The distribution of r under a null.

    Attributes:
        mean: mean of r; not 0 where strata stay together.
        high: what a share `level` of resamples stays below.
        p: chance of an r at least as large as the observed one.
        resamples: how many have an r.
    """

    mean: float
    high: float
    p: float
    resamples: int


def random_swaps(
    groups: int, rng: np.random.Generator, resamples: int = DEFAULTS["resamples"]
) -> Bool[np.ndarray, "resamples groups"]:
    """Groups, at random, in which outcomes with a mask and without change places: what `Sample.swapped` takes."""
    return rng.integers(2, size=(resamples, groups), dtype=np.uint8).astype(bool)


def sign_flip_null(
    a: Heads,
    b: Heads,
    flipped_a: Float[np.ndarray, "resamples heads"],
    flipped_b: Float[np.ndarray, "resamples heads"],
    level: float = 0.95,
) -> Null | None:
    """R under the null that no head has an effect; None where no resample has one.

    Args:
        a: effects on one domain.
        b: effects of the same heads on another.
        flipped_a: effects of these heads on the first after `random_swaps`.
        flipped_b: those on the second; after swaps of its own, but in the groups that both have.
        level: share of resamples below `Null.high`.
    """
    return _null(float(pearson(a, b)), pearson(flipped_a, flipped_b), level)


def permutation_null(
    a: Heads,
    b: Heads,
    strata: Sequence[object],
    rng: np.random.Generator,
    resamples: int = DEFAULTS["resamples"],
    level: float = 0.95,
) -> Null | None:
    """R under the null that heads of one stratum are alike: those of `b` change places within it.

    Returns:
        None where every stratum has a single head, so that nothing can change places.
    """
    codes = np.unique([repr(stratum) for stratum in strata], return_inverse=True)[1]
    if len(set(codes)) == a.size:
        return None
    a, b = centred(a), centred(b)
    size = np.sqrt((a @ a) * (b @ b))
    r = np.concatenate(
        [
            np.clip(b[_permutations(codes, min(AT_ONCE, resamples - start), rng)] @ a / size, -1.0, 1.0)
            for start in range(0, resamples, AT_ONCE)
        ]
    )
    return _null(float(pearson(a, b)), r, level)


def within(effects: Heads, strata: Sequence[object]) -> Heads:
    """Effects less the mean of their stratum."""
    codes = np.unique([repr(stratum) for stratum in strata], return_inverse=True)[1]
    return effects - (np.bincount(codes, effects) / np.bincount(codes))[codes]


def _permutations(
    codes: Int[np.ndarray, " heads"], count: int, rng: np.random.Generator
) -> Int[np.ndarray, "count heads"]:
    """Random orders of the heads in which each keeps its stratum."""
    places = np.argsort(codes, kind="stable")
    shuffled = places[np.argsort(codes[places] + rng.random((count, codes.size)), axis=1)]
    orders = np.empty_like(shuffled)
    orders[:, places] = shuffled
    return orders


def _null(observed: float, r: Float[np.ndarray, " resamples"], level: float) -> Null | None:
    r = r[~np.isnan(r)]
    if not r.size:
        return None
    p = (1 + int((r >= observed - ROUNDING).sum())) / (1 + r.size)
    return Null(float(r.mean()), float(np.quantile(r, level)), p, int(r.size))
