"""What is chosen on one half of the groups is scored on the other, both ways: so that choosing costs no honesty.

The best of many heads, or of many offsets, does better on the examples that it was chosen on than on new ones.
"""

import numpy as np
from jaxtyping import Bool, Int

HALVES = 7
"""Stream of random numbers of the seed."""


def first_half(groups: int, seed: int) -> Bool[np.ndarray, " groups"]:
    """Which groups are in the first half, drawn by a seed; the second is one larger where their number is odd."""
    return np.random.default_rng([seed, HALVES]).permutation(groups) < groups // 2


def choose(
    sums: Int[np.ndarray, "groups *any choices"], half: Bool[np.ndarray, " groups"]
) -> Int[np.ndarray, "2 *any"]:
    """The choice that has most hits in the first half, and in the second; the first of equals."""
    return np.stack([sums[own].sum(axis=0).argmax(axis=-1) for own in (half, ~half)])


def cross_fitted(
    sums: Int[np.ndarray, "groups *any choices"],
    chosen: Int[np.ndarray, "2 *any"],
    half: Bool[np.ndarray, " groups"],
) -> Int[np.ndarray, "groups *any"]:
    """The hits of each group by what was chosen in the half that it is not in."""
    first, second = (np.take_along_axis(sums, own[None, ..., None], axis=-1)[..., 0] for own in chosen)
    away = half.reshape(-1, *[1] * (first.ndim - 1))
    return np.where(away, second, first)
