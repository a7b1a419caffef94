"""How many groups of examples it takes to show that a set loses no more than a margin."""

from math import ceil
from statistics import NormalDist

POWER = 0.8
"""Chance with which a set that loses nothing is shown to suffice."""

ALPHA = 0.05
"""Chance that more is lost than a limit says, unless another is given."""


def groups_needed(error: float, groups: int, lose: float, alpha: float = ALPHA) -> int:
    """Groups with which a set that loses nothing is shown to lose no more than a margin, with a chance of .8.

    The lower one-sided limit of its effect must be above minus the margin, so that the error may be no more than
    lose / (z(1 - alpha) + z(.8)) (non-inferiority; Chow, Shao and Wang 2008, chapter 4). It falls with the root of the
    number of groups.

    Args:
        error: standard error of the effect.
        groups: groups of examples that this error is of.
        lose: the margin, in the unit of the error; above 0.
        alpha: chance that more is lost than the limit says.
    """
    normal = NormalDist()
    quantiles = normal.inv_cdf(1 - alpha) + normal.inv_cdf(POWER)
    return ceil(groups * (quantiles * error / lose) ** 2)
