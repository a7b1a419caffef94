"""Seeds and examples, the two things that are uncertain of trainings: intervals over either, the other held.

An interval over examples holds the seeds as they are; one over seeds, by Student's t on the numbers of single seeds,
holds the examples. With fewer than five seeds nothing is said over seeds.
"""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float
from scipy import stats

from analysis.inference import resampling

FEWEST_SEEDS = 5
"""Seeds from which on an interval over them is given."""

ENDS = ("", "_low", "_high", "_seeds_low", "_seeds_high")
"""Ends of the names of columns: a number, its interval over examples, and its interval over seeds."""

Draws = Float[np.ndarray, " draws"]
"""A number on all examples, then on each resample of them."""


def over_examples(draws: Draws, alpha: float) -> tuple[float | None, float | None]:
    """The percentile interval of a number over resamples of the examples; none where nothing was drawn."""
    if len(draws) < 2:
        return None, None
    low, high = resampling.percentile(draws[1:], alpha)
    return float(low), float(high)


def over_seeds(numbers: Sequence[float], alpha: float) -> tuple[float | None, float | None]:
    """Student's interval of the mean of the numbers of single seeds; none of fewer than `FEWEST_SEEDS`."""
    count = len(numbers)
    if count < FEWEST_SEEDS:
        return None, None
    mean, half = np.mean(numbers), stats.t.ppf(1 - alpha / 2, count - 1) * np.std(numbers, ddof=1) / np.sqrt(count)
    return float(mean - half), float(mean + half)
