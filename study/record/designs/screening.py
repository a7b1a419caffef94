"""Screening: which few of many units random masks point at, by the lasso."""

import warnings
from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool, Float

FOLDS = 5
"""Parts of the masks, by which the strength of the penalty is chosen."""

PENALTIES = 50
"""How many strengths are tried."""


def screened_units(
    on: Bool[np.ndarray, "masks units"], costs: Float[np.ndarray, " masks"], most: int
) -> tuple[list[int], Float[np.ndarray, " units"]]:
    """The units that random masks point at.

    What each unit's absence adds to the cost, on average over the other units at the rate of the masks: the lasso's
    coefficients (Tibshirani 1996), its penalty chosen by cross-validation over masks.

    Args:
        on: which units each mask leaves on, each by itself with one probability.
        costs: what each mask costs: the more, the worse.
        most: how many units are named at most.

    Returns:
        Positions of the units with the largest coefficients that are not 0, the largest first; and the coefficients, in
        the unit of `costs`.
    """
    from sklearn.exceptions import ConvergenceWarning  # takes a second to load
    from sklearn.linear_model import LassoCV

    off = (~on).astype(np.float64)
    if len(on) < FOLDS or np.ptp(costs) == 0:
        return [], np.zeros(on.shape[1])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        fitted = LassoCV(alphas=PENALTIES, cv=FOLDS, max_iter=10_000).fit(off, costs)
    sizes = np.abs(fitted.coef_)
    return [int(i) for i in np.argsort(-sizes, kind="stable")[:most] if sizes[i] > 0], fitted.coef_


def rival_units(ranking: Sequence[int], number: int, seed: int) -> tuple[list[int], list[int]]:
    """Units that would be removed one by one for as many masks: at random, and those of most importance.

    Args:
        ranking: all units, the most important first.
        number: how many masks there are.
        seed: seed of those at random.
    """
    drawn = np.random.default_rng([seed, 2]).permutation(len(ranking))[:number]
    return sorted(drawn.tolist()), list(ranking[:number])
