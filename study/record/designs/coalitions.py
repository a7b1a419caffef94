"""Samples of coalitions: sets of units that stay on, drawn so that estimates are plain means over them.

A sample is nested: with one seed, the first 1,000 of 2,000 coalitions are the 1,000. Every random number of a coalition
is a double of PCG64, whose stream numpy keeps, at a place that does not depend on how many are drawn.
"""

import numpy as np
from jaxtyping import Bool, Float

KERNEL = "kernel"
"""Sizes as KernelSHAP weighs them, sets of a size alike, each beside its complement."""

ALL = "all"
"""Every set, once."""

INDEPENDENT = "independent"
"""Each unit stays on by itself, with one probability."""

ENDS = 2
"""The full and the empty set, with which a sample of the kernel begins."""


def kernel_sizes(units: int) -> Float[np.ndarray, " sizes"]:
    """The probability of each size from 1 to n - 1 of a set of n units.

    The kernel's weight of all sets of a size s, proportional to (n - 1) / (s (n - s)) (Lundberg and Lee 2017,
    theorem 2, times the number of such sets).
    """
    size = np.arange(1, units)
    weight = 1.0 / (size * (units - size))
    return weight / weight.sum()


def kernel_coalitions(units: int, number: int, seed: int) -> Bool[np.ndarray, "coalitions_and_ends units"]:
    """The full set, the empty one, then coalitions in pairs, the second of each the complement of the first.

    Sets may come twice: all draws then count alike, and no weight is needed besides.

    Args:
        units: how many there are, at least two.
        number: how many coalitions are drawn, even.
        seed: seed of the draws.
    """
    drawn = np.random.default_rng(seed).random((number // 2, units + 1))
    sizes = 1 + np.searchsorted(np.cumsum(kernel_sizes(units))[:-1], drawn[:, 0], side="right")
    place = np.argsort(np.argsort(drawn[:, 1:], axis=1, kind="stable"), axis=1, kind="stable")
    return _with_complements(place < sizes[:, None], units)


def all_coalitions(units: int) -> Bool[np.ndarray, "all_sets units"]:
    """Every set once: the full one, the empty one, then each set that lacks the last unit after its complement."""
    numbers = np.arange(1, 2 ** (units - 1))
    lacking = (numbers[:, None] >> np.arange(units)) & 1 == 1
    return _with_complements(~lacking, units)


def independent_coalitions(units: int, number: int, kept: float, seed: int) -> Bool[np.ndarray, "coalitions units"]:
    """Coalitions in which each unit stays on by itself with probability `kept`; not the kernel's draws."""
    return np.random.default_rng([seed, 1]).random((number, units)) < kept


def are_all(units: int, number: int) -> bool:
    """Whether so many coalitions, the full and the empty set aside, are all that there are, or more."""
    return number >= 2**units - ENDS


def _with_complements(sets: Bool[np.ndarray, "sets units"], units: int) -> Bool[np.ndarray, "twice_and_ends units"]:
    every = np.concatenate([np.ones((1, units), dtype=bool), sets])
    return np.stack([every, ~every], axis=1).reshape(-1, units)
