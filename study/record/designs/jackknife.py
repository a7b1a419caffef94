"""The jackknife: how far a number is from the truth, by what it is without each group of examples, or each draw."""

import numpy as np
from jaxtyping import Float


def standard_error(without_each: Float[np.ndarray, "groups others"]) -> Float[np.ndarray, " others"]:
    """The standard error of each number, by leaving out one group after the other.

    Args:
        without_each: the numbers without each group.
    """
    groups = len(without_each)
    return np.sqrt((groups - 1) / groups * np.square(without_each - without_each.mean(axis=0)).sum(axis=0))
