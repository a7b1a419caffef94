"""The jackknife of a correlation: what it is without each part of the examples says how sure it is.

Parts are groups of examples (premises, documents), or blocks of groups where each costs much. Two domains are
independent samples, so that their variances add up. Intervals of r are on Fisher's z.
"""

import numpy as np
from jaxtyping import Float
from scipy import stats

from analysis.inference.resampling import standard_error

Replicates = Float[np.ndarray, " _"]

NEARLY_ONE = 1 - 1e-12
"""Where Fisher's z ends."""


def fisher_z(r: Float[np.ndarray, "..."] | float) -> Float[np.ndarray, "..."] | float:
    """Fisher's z, finite also where r is 1."""
    return np.arctanh(np.clip(r, -NEARLY_ONE, NEARLY_ONE))


def error(*samples: Replicates) -> float:
    """Standard error of a number, from its values without each part of one sample after the other."""
    return float(np.sqrt(sum(float(standard_error(values[:, None])[0]) ** 2 for values in samples)))


def error_shares(*samples: Replicates) -> list[Replicates]:
    """The part of each group in the square of `error`; over all samples they add up to 1."""
    squares = [(len(values) - 1) / len(values) * np.square(values - values.mean()) for values in samples]
    total = sum(float(own.sum()) for own in squares)
    return [own / max(total, np.finfo(float).tiny) for own in squares]


def quantile(level: float, *samples: Replicates) -> float:
    """Standard errors on either side: of t, by the smallest number of parts less one."""
    return float(stats.t.ppf((1 + level) / 2, min(map(len, samples)) - 1))


def interval(r: float, *samples: Replicates, level: float) -> tuple[float, float] | None:
    """Interval of a correlation.

    Args:
        r: the correlation on all examples.
        samples: r without each part, of each independent sample.
        level: probability that the interval holds.

    Returns:
        Both ends; None where r does not exist without some part.
    """
    half = quantile(level, *samples) * error(*(np.asarray(fisher_z(values)) for values in samples))
    if not np.isfinite(half):
        return None
    z = float(fisher_z(r))
    return min(r, float(np.tanh(z - half))), max(r, float(np.tanh(z + half)))  # z ends below an r of 1
