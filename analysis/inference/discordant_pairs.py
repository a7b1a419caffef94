"""Discordant pairs, here flips: examples that a mask makes wrong or right, all that a classifier's effect is made of.

Where there are few, a bootstrap knows too little: its interval for two flips to wrong covers the truth in 80 of 100
cases, and of no flip it is a point. Binomial intervals need no resampling.

Shapes: as in `analysis.results.sample`.
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int, Num
from scipy import special, stats

from analysis.results.sample import Sample

FEW = 20
"""Flips below which a bootstrap interval does not hold its level (design/statistics.md)."""

PERCENT = 100.0
"""Accuracy is a percentage."""


class Flips(NamedTuple):
    """Flips of every mask, by example or group.

    Attributes:
        wrong: from right to wrong.
        right: from wrong to right.
        together: how many flip together, 1 where each is in a group of its own: sum of squares by sum.
        examples: all there are.
    """

    wrong: Num[np.ndarray, " others"]
    right: Num[np.ndarray, " others"]
    together: Float[np.ndarray, " others"]
    examples: int

    @property
    def few(self) -> Bool[np.ndarray, " others"]:
        """Where there are too few for a bootstrap interval."""
        return (self.wrong + self.right) / self.together < FEW


def flips(sample: Sample) -> Flips:
    """The flips of every mask of a sample of accuracy; within a group they cancel."""
    return flips_of(flip_changes(sample), sample.examples)


def flip_changes(sample: Sample) -> Int[np.ndarray, "others groups"]:
    """How many more examples of each group are right under each mask than with every head."""
    return sample.sums[1:, :, 0] - sample.sums[0, :, 0]


def flips_of(change: Num[np.ndarray, "others groups"], examples: int) -> Flips:
    """The flips that make such changes; of a sum of effects, a group's change counts as so many flips together."""
    change = change.astype(np.promote_types(change.dtype, np.int64))  # squares of sums as they are kept would not fit
    size = np.abs(change).sum(axis=1)
    with np.errstate(invalid="ignore"):
        together = np.where(size > 0, np.square(change).sum(axis=1) / size, 1.0)
    return Flips(np.maximum(-change, 0).sum(axis=1), np.maximum(change, 0).sum(axis=1), together, examples)


def flip_interval(
    flips: Flips, alpha: Float[np.ndarray, "..."] | float
) -> tuple[Float[np.ndarray, " others"], Float[np.ndarray, " others"]]:
    """Interval of the effect, in points, from exact binomial intervals of the flips to wrong and to right.

    Those two (Clopper and Pearson 1934) are joined as the difference of two rates (MOVER: Zou and Donner 2008). Flips
    that come together count for fewer, as in the interval of Fay and Feuer (1997) for a weighted sum.
    """
    n = flips.examples / flips.together
    wrong, right = flips.wrong / flips.together, flips.right / flips.together
    wrong_low, wrong_high = clopper_pearson(wrong, n, alpha)
    right_low, right_high = clopper_pearson(right, n, alpha)
    w, r = wrong / n, right / n
    low = r - w - np.hypot(r - right_low, wrong_high - w)
    high = r - w + np.hypot(right_high - r, w - wrong_low)
    return PERCENT * low, PERCENT * high


def conditional_interval(
    flips: Flips, alpha: float
) -> tuple[Float[np.ndarray, " others"], Float[np.ndarray, " others"]]:
    """Interval of the effect, in points, *given* how many examples flip: binomial in how many of them become right.

    It holds zero where the exact test of McNemar keeps it, but takes the number of flips for known: where all go one
    way it covers the truth in half of the cases.
    """
    count = (flips.wrong + flips.right) / flips.together
    low, high = clopper_pearson(flips.right / flips.together, count, alpha)
    scale = PERCENT * (flips.wrong + flips.right) / flips.examples
    return scale * (2 * low - 1), scale * (2 * high - 1)


def mcnemar(flips: Flips, *, mid_p: bool) -> Float[np.ndarray, " others"]:
    """Two-sided p of McNemar's exact test: are flips to wrong and to right equally likely?

    It takes every flip for independent of all others; in groups of examples (hypotheses of one premise) they are not.

    Args:
        flips: by single examples.
        mid_p: count what was observed by half (Fagerland et al. 2013): less careful, and closer to the level.
    """
    count, fewer = flips.wrong + flips.right, np.minimum(flips.wrong, flips.right)
    tails, observed = 2 * stats.binom.cdf(fewer, count, 0.5), stats.binom.pmf(fewer, count, 0.5)
    if not mid_p:
        return np.minimum(1.0, tails)
    middle = np.where(count > 0, 1 - observed / 2, 1.0)
    return np.where(flips.wrong == flips.right, middle, tails - observed)


def clopper_pearson(
    successes: Float[np.ndarray, "..."] | float,
    trials: Float[np.ndarray, "..."] | float,
    alpha: Float[np.ndarray, "..."] | float,
) -> tuple[np.ndarray, np.ndarray]:
    """Exact binomial limits of a share (Clopper and Pearson 1934); 0 to 1 of no trial. Counts need not be whole."""
    failures = np.subtract(trials, successes)
    low = special.betaincinv(np.maximum(successes, 1e-12), failures + 1, np.asarray(alpha) / 2)
    high = special.betaincinv(np.add(successes, 1), np.maximum(failures, 1e-12), 1 - np.asarray(alpha) / 2)
    return np.where(successes > 0, low, 0.0), np.where(failures > 0, high, 1.0)
