"""Shapley values from the scores of coalitions: linear in them, so that one matrix maps scores to values."""

from math import lgamma

import numpy as np
from jaxtyping import Bool, Float


def shapley_matrix(on: Bool[np.ndarray, "masks units"]) -> Float[np.ndarray, "units masks"]:
    """What the scores of coalitions are multiplied by to give the Shapley value of each unit.

    Of all sets by the definition. Of a sample of the kernel by least squares in which all draws count alike, with the
    first two rows, the full and the empty set, as constraints, so that the values add up to what these differ by
    (Covert and Lee 2021, equation 7).

    Args:
        on: rows as `study.record.designs.coalitions` draws them.
    """
    return _by_definition(on) if len(on) == 2.0 ** on.shape[1] else _by_least_squares(on)


def _by_definition(on: Bool[np.ndarray, "masks units"]) -> Float[np.ndarray, "units masks"]:
    """A set S of n units counts |S - i|! (n - |S - i| - 1)! / n! for each unit i, with a minus where i is not in it."""
    number, size = on.shape[1], on.sum(axis=1)
    without = size[:, None] - on
    weight = np.array([np.exp(lgamma(s + 1) + lgamma(number - s) - lgamma(number + 1)) for s in range(number)])
    return np.where(on, weight[without], -weight[without]).T


def _by_least_squares(on: Bool[np.ndarray, "masks units"]) -> Float[np.ndarray, "units masks"]:
    drawn = on[2:].astype(np.float64)
    number = on.shape[1]
    # S phi is v(S) - v(empty) for every draw, given that phi adds up to v(full) - v(empty)
    solution = np.linalg.pinv(drawn.T @ drawn, hermitian=True)
    spread = solution.sum(axis=1)
    free = solution @ drawn.T
    found = free - np.outer(spread / spread.sum(), free.sum(axis=0))
    ends = np.zeros((number, 2))
    ends[:, 0] = spread / spread.sum()
    ends[:, 1] = -found.sum(axis=1) - ends[:, 0]
    return np.concatenate([ends, found], axis=1)
