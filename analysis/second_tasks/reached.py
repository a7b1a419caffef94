"""Shares: how much of what all weights gain over the output layer alone is reached by less.

With x what a method gains over the output layer alone, and y what all weights gain, seed by seed, the share is the mean
of x over the mean of y. Over seeds its interval is Fieller's (1954): the shares s that a paired t-test of x - s y does
not refuse. It is bounded where y is clearly not 0. Over examples it is a percentile interval of the same ratio.
"""

from collections.abc import Mapping, Sequence

import numpy as np
from scipy import stats

from analysis.inference.seeds import ENDS, FEWEST_SEEDS, Draws, over_examples, over_seeds

Share = dict[str, float | None]


def share_reached(gains: Mapping[int | None, Draws], whole: Mapping[int | None, Draws], alpha: float) -> Share:
    """The share of a whole gain that other gains are, seed by seed.

    Args:
        gains: what a method gains, by seed.
        whole: what all weights gain, by seed.
        alpha: what intervals leave out.

    Returns:
        The number `reached` and its intervals, by the names of `ENDS`. All are None where no seed has both, or where
        the whole gain is not clearly above 0.
    """
    nothing: Share = dict.fromkeys([f"reached{end}" for end in ENDS])
    seeds = [seed for seed in gains if seed in whole]
    if not seeds:
        return nothing
    x, y = (np.mean([by[seed] for seed in seeds], axis=0) for by in (gains, whole))
    single_x, single_y = ([float(by[seed][0]) for seed in seeds] for by in (gains, whole))
    sure = [over_examples(y, alpha)[0], over_seeds(single_y, alpha)[0]]
    known = [low for low in sure if low is not None]
    if y[0] <= 0 or not known or min(known) <= 0:
        return nothing
    low, high = _over_examples(x, y, alpha)
    seeds_low, seeds_high = fieller(single_x, single_y, alpha) if len(seeds) >= FEWEST_SEEDS else (None, None)
    return dict(zip(nothing, (float(x[0] / y[0]), low, high, seeds_low, seeds_high), strict=True))


def _over_examples(x: Draws, y: Draws, alpha: float) -> tuple[float | None, float | None]:
    """The percentile interval of the ratio; None where a share of the draws has no gain to take a share of."""
    ratios = np.divide(x, y, out=np.copysign(np.inf, x), where=y > 0)
    with np.errstate(invalid="ignore"):
        low, high = over_examples(ratios, alpha)
    finite = low is not None and high is not None and np.isfinite([low, high]).all()
    return (low, high) if finite else (None, None)


def fieller(x: Sequence[float], y: Sequence[float], alpha: float) -> tuple[float | None, float | None]:
    """Fieller's interval of mean(x) / mean(y), of pairs; None where it has no end.

    Args:
        x: numerators, one a pair.
        y: denominators.
        alpha: what the interval leaves out.
    """
    n = len(x)
    (xx, xy), (_, yy) = np.cov(x, y) * stats.t.ppf(1 - alpha / 2, n - 1) ** 2 / n
    mean_x, mean_y = np.mean(x), np.mean(y)
    a, b, c = mean_y**2 - yy, mean_x * mean_y - xy, mean_x**2 - xx
    if a <= 0:
        return None, None
    half = np.sqrt(max(b**2 - a * c, 0.0))
    return float((b - half) / a), float((b + half) / a)
