"""Equivalence: which heads do not matter. Their effect is shown to be within a margin by two one-sided tests.

Schuirmann (1987). That an effect is not significant says nothing about its size.
"""

import numpy as np
from jaxtyping import Float
from scipy import stats

from analysis.inference.discordant_pairs import Flips, flip_interval

STEPS = 40
"""Halvings when the level is sought at which an interval fits in the margin."""


def equivalence_p(
    effects: Float[np.ndarray, " others"], error: Float[np.ndarray, " others"], degrees: int, margin: float
) -> Float[np.ndarray, " others"]:
    """P of two one-sided t-tests that the effect lies outside of the margin: small where the head does not matter.

    Args:
        effects: effects of the masks.
        error: their standard errors; where one is 0 (no outcome changes) nothing is shown, and p is 1.
        degrees: degrees of freedom: groups less one.
        margin: largest size that does not matter, in the unit of the effects.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        nearest = (margin - np.abs(effects)) / error
    return np.where(error > 0, stats.t.sf(nearest, degrees), 1.0)


def equivalence_p_of_flips(flips: Flips, margin: float) -> Float[np.ndarray, " others"]:
    """P for few flips: half the level at which the interval of the flips just fits in the margin."""
    low, high = np.full(len(flips.wrong), 1e-12), np.full(len(flips.wrong), 0.5)
    for _ in range(STEPS):
        level = np.sqrt(low * high)
        below, above = flip_interval(flips, 2 * level)
        fits = (below > -margin) & (above < margin)
        high, low = np.where(fits, level, high), np.where(fits, low, level)
    return np.where(high < 0.5, high, 1.0)
