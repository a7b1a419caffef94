"""The minimum detectable effect: what size of effect this set can see, whatever was found on it."""

import numpy as np
from jaxtyping import Float
from scipy import stats

POWER = 0.8
"""Chance with which the detectable effect is found."""


def minimum_detectable_effect(error: Float[np.ndarray, " heads"], critical: float, degrees: int) -> float | None:
    """The effect that is found with probability .8: (critical size + t of .8) times the median standard error.

    Args:
        error: standard errors of the effects of a family; heads that change no outcome have none, and do not count.
        critical: standard errors that an effect must exceed after the correction.
        degrees: degrees of freedom: groups less one.

    Returns:
        In the unit of the effects; None where no head has a standard error, or no effect could be found.
    """
    some = error[error > 0]
    if not some.size or not np.isfinite(critical):
        return None
    return float((critical + stats.t.ppf(POWER, degrees)) * np.median(some))
