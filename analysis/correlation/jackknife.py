"""The jackknife of a correlation: what it is without each part of the examples says how sure it is.

Parts are groups of examples (premises, documents), or blocks of groups where each costs much. Parts that two cells
share are left out of both at once. The strata (parts that one has alone, parts that both have) are independent of each
other, so that their variances add up. Intervals of r are on Fisher's z.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from scipy import stats

from study.record.designs.jackknife import standard_error

Replicates = Float[np.ndarray, " _"]

NEARLY_ONE = 1 - 1e-12
"""Where Fisher's z ends."""


def fisher_z(r: Float[np.ndarray, "..."] | float) -> Float[np.ndarray, "..."] | float:
    """Fisher's z, finite also where r is 1."""
    return np.arctanh(np.clip(r, -NEARLY_ONE, NEARLY_ONE))


@dataclass(frozen=True, eq=False)
class Stratum:
    """A number without each part of one stratum: parts that one sample alone has, or that two samples have in common.

    Attributes:
        values: the number without each part.
        weight: what the stratum's variance by the jackknife is multiplied with; 1 where it is a whole sample.
    """

    values: Replicates
    weight: float = 1.0

    def variance(self, whole: float) -> float:
        """Its part of the sampling variance; about the number of the whole where there is one part alone."""
        if len(self.values) == 1:
            return self.weight * float(self.values[0] - whole) ** 2
        return self.weight * float(standard_error(self.values[:, None])[0]) ** 2

    def squares(self, whole: float) -> Replicates:
        """The part of each part in `variance`."""
        count = len(self.values)
        if count == 1:
            return self.weight * np.square(self.values - whole)
        return self.weight * ((count - 1) / count) * np.square(self.values - self.values.mean())


def stratum_weight(count: int, *samples: int) -> float:
    """The weight of a stratum of so many parts in samples of so many: one sample, or the two that share its parts."""
    inner = count / (count - 1) if count > 1 else 1.0
    sizes = samples if len(samples) == 2 else samples * 2
    outer = float(np.prod([(size - 1) / size for size in sizes]))
    whole = count > 1 and all(size == count for size in sizes)
    return 1.0 if whole else inner**2 * outer


def error(whole: float, *strata: Stratum) -> float:
    """Standard error of a number, from its values without each part of one stratum after the other."""
    return float(np.sqrt(sum(stratum.variance(whole) for stratum in strata)))


def error_shares(whole: float, *strata: Stratum) -> list[Replicates]:
    """The part of each group in the square of `error`; over all strata they add up to 1."""
    squares = [stratum.squares(whole) for stratum in strata]
    total = sum(float(own.sum()) for own in squares)
    return [own / max(total, np.finfo(float).tiny) for own in squares]


def quantile(level: float, parts: int) -> float:
    """Standard errors on either side: of t, by the number of parts less one."""
    return float(stats.t.ppf((1 + level) / 2, parts - 1))


def interval(r: float, *strata: Stratum, parts: int, level: float) -> tuple[float, float] | None:
    """Interval of a correlation.

    Args:
        r: the correlation on all examples.
        strata: r without each part.
        parts: how many the smallest sample has.
        level: probability that the interval holds.

    Returns:
        Both ends; None where r does not exist without some part.
    """
    z = float(fisher_z(r))
    on_z = (Stratum(np.asarray(fisher_z(stratum.values)), stratum.weight) for stratum in strata)
    half = quantile(level, parts) * error(z, *on_z)
    if not np.isfinite(half):
        return None
    return min(r, float(np.tanh(z - half))), max(r, float(np.tanh(z + half)))  # z ends below an r of 1
