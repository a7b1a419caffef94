"""Shares and differences of shares, as sums over groups of examples: their limits, and whether they are above 0.

By the jackknife over the groups that have a case, with Student's t. A share with fewer than 20 cases on one side has
exact binomial limits, and a difference of fewer than 20 discordant cases those of `flip_interval`: cases that come
together count for fewer.

Shapes: `groups` = groups of examples, `others` = shares.
"""

from collections.abc import Iterable

import numpy as np
from jaxtyping import Bool, Float, Int, Num
from scipy import stats

from analysis.inference.discordant_pairs import FEW, PERCENT, clopper_pearson, flip_interval, flips_of
from study.record.designs.jackknife import standard_error

SIGNS = 11
"""Stream of random numbers of the seed."""

ROUNDING = 1e-5
"""Sums in standard deviations that differ by less are equal; they are taken in float32."""

BYTES_AT_ONCE = 64 * 2**20
"""That the draws computed at once may take."""

Limits = tuple[Float[np.ndarray, " others"], Float[np.ndarray, " others"]]


def ratio_limits(over: Num[np.ndarray, "groups others"], cases: Int[np.ndarray, " groups"], alpha: float) -> Limits:
    """Low and high ends of sums divided by the number of cases, in points; NaN where fewer than two groups have cases.

    Either end by itself is a one-sided limit at level 1 - alpha / 2.
    """
    own = cases > 0
    if own.sum() < 2:
        nothing = np.full(over.shape[1], np.nan)
        return nothing, nothing
    over, cases = over[own].astype(np.float64), cases[own]
    value = over.sum(axis=0) / cases.sum()
    left = (cases.sum() - cases)[:, None]
    with np.errstate(divide="ignore", invalid="ignore"):
        error = standard_error((over.sum(axis=0) - over) / left)
    half = stats.t.ppf(1 - alpha / 2, len(cases) - 1) * error
    return PERCENT * (value - half), PERCENT * (value + half)


def share_limits(hits: Int[np.ndarray, "groups others"], cases: Int[np.ndarray, " groups"], alpha: float) -> Limits:
    """Low and high ends of shares of cases, in percent."""
    low, high = ratio_limits(hits, cases, alpha)
    error = (high - low) / 2 / PERCENT / stats.t.ppf(1 - alpha / 2, max(1, (cases > 0).sum() - 1))
    *exact, few = binomial_limits(hits.sum(axis=0), cases.sum(keepdims=True), error, alpha)
    exact_low, exact_high = (np.where(np.isnan(low), np.nan, PERCENT * end) for end in exact)
    return np.where(few, exact_low, np.maximum(low, 0)), np.where(few, exact_high, np.minimum(high, PERCENT))


def binomial_limits(
    hits: Num[np.ndarray, " others"],
    cases: Num[np.ndarray, " _"],
    error: Float[np.ndarray, " others"],
    alpha: float,
) -> tuple[Float[np.ndarray, " others"], Float[np.ndarray, " others"], Bool[np.ndarray, " others"]]:
    """Exact binomial limits of shares, 0 to 1, and where there are so few on one side that they should be taken.

    Args:
        hits: cases that count.
        cases: all of them, of each share or of all alike.
        error: standard errors of the shares by the jackknife: where they are larger than those of single cases, cases
            that come together count for fewer, by the design effect.
        alpha: what both limits leave out together.
    """
    share = hits / np.maximum(cases, 1)
    single = share * (1 - share) / np.maximum(cases, 1)
    effect = np.fmax(1, np.divide(np.square(error), single, out=np.ones(len(hits)), where=single > 0))
    hits, cases = hits / effect, cases / effect
    low, high = clopper_pearson(hits, cases, alpha)
    return low, high, np.minimum(hits, cases - hits) < FEW


def difference_limits(
    change: Int[np.ndarray, "groups others"], cases: Int[np.ndarray, " groups"], alpha: float
) -> Limits:
    """Low and high ends of differences of two shares of the same cases, in points.

    Args:
        change: how many more cases of each group the one has than the other.
        cases: cases of each group.
        alpha: what both ends leave out together.
    """
    low, high = ratio_limits(change, cases, alpha)
    flips = flips_of(change.T, int(cases.sum()))
    exact_low, exact_high = (np.where(np.isnan(low), np.nan, end) for end in flip_interval(flips, alpha))
    return np.where(flips.few, exact_low, low), np.where(flips.few, exact_high, high)


def above_zero(
    changes: Iterable[Num[np.ndarray, "groups _"]], resamples: int, seed: int
) -> list[tuple[Float[np.ndarray, " _"], Float[np.ndarray, " _"]]]:
    """One-sided tests that sums over groups are above 0: could what a group adds as well be as much below?

    The sign of what a group adds is turned at random, of all sums at once (Riezler and Maxwell 2005). Sums count in
    units of their own standard deviation under this hypothesis, and corrected p are by the largest of them all
    (single-step max-T, Westfall and Young 1993).

    Args:
        changes: what each group adds to sums; several arrays make one family.
        resamples: draws of signs.
        seed: seed of the signs.

    Returns:
        For each array p of each sum, and p corrected over the family.
    """
    changes = [change.astype(np.float32) for change in changes]
    groups = len(changes[0])
    signs = np.where(np.random.default_rng([seed, SIGNS]).random((resamples, groups)) < 0.5, -1, 1).astype(np.float32)
    largest, found = np.zeros(resamples, dtype=np.float32), []
    for change in changes:
        unit = np.sqrt(np.square(change).sum(axis=0))
        scaled = change / np.where(unit > 0, unit, np.inf)
        observed, count = scaled.sum(axis=0), np.zeros(len(unit), dtype=np.int64)
        for part in _slices(len(unit), resamples):
            drawn = signs @ scaled[:, part]
            np.maximum(largest, drawn.max(axis=1), out=largest)
            count[part] = (drawn >= observed[part] - ROUNDING).sum(axis=0)
        found.append((observed, (1 + count) / (resamples + 1)))
    ordered = np.sort(largest)
    at_least = [resamples - np.searchsorted(ordered, observed - ROUNDING) for observed, _ in found]
    return [(p, (1 + count) / (1 + resamples)) for (_, p), count in zip(found, at_least, strict=True)]


def _slices(count: int, resamples: int) -> Iterable[slice]:
    step = max(1, BYTES_AT_ONCE // (4 * resamples))
    return (slice(start, start + step) for start in range(0, count, step))
