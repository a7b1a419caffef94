"""Equivalence: what size of effect this set can see, and which heads do not matter.

That an effect is not significant says nothing about its size. A head does not matter where its effect is shown to be
within a margin: two one-sided tests (Schuirmann 1987).
"""

import numpy as np
from jaxtyping import Float
from scipy import stats

from analysis.inference.discordant_pairs import Flips, flip_interval

POWER = 0.8
"""Chance with which the detectable effect is found."""

STEPS = 40
"""Halvings when the level is sought at which an interval fits in the margin."""


def detectable(error: Float[np.ndarray, " heads"], critical: float, degrees: int) -> float | None:
    """The effect that is found with probability .8: (critical size + t of .8) times the median standard error.

    Args:
        error: standard errors of the effects of a family; heads that change no outcome have none, and do not count.
        critical: standard errors that an effect must exceed after the correction.
        degrees: of freedom: groups less one.

    Returns:
        In the unit of the effects; None where no head has a standard error, or no effect could be found.
    """
    some = error[error > 0]
    if not some.size or not np.isfinite(critical):
        return None
    return float((critical + stats.t.ppf(POWER, degrees)) * np.median(some))


def equivalence_p(
    effects: Float[np.ndarray, " others"], error: Float[np.ndarray, " others"], degrees: int, margin: float
) -> Float[np.ndarray, " others"]:
    """P of two one-sided t-tests that the effect lies outside of the margin: small where the head does not matter.

    Args:
        effects: of the masks.
        error: their standard errors; where one is 0 (no outcome changes) nothing is shown, and p is 1.
        degrees: of freedom: groups less one.
        margin: in the unit of the effects.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        nearest = (margin - np.abs(effects)) / error
    return np.where(error > 0, stats.t.sf(nearest, degrees), 1.0)


def equivalence_p_of_flips(flips: Flips, margin: float) -> Float[np.ndarray, " others"]:
    """The same for few flips: half the level at which the interval of the flips just fits in the margin."""
    low, high = np.full(len(flips.wrong), 1e-12), np.full(len(flips.wrong), 0.5)
    for _ in range(STEPS):
        level = np.sqrt(low * high)
        below, above = flip_interval(flips, 2 * level)
        fits = (below > -margin) & (above < margin)
        high, low = np.where(fits, level, high), np.where(fits, low, level)
    return np.where(high < 0.5, high, 1.0)
