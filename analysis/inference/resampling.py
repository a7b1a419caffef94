"""Resampling: one for all masks of a domain, and the intervals and standard errors that come of it.

The same groups are drawn, swapped or left out for every mask, so that pairs stay pairs and masks keep what they have in
common. Draws are reproducible from a seed (0 is one), and do not depend on how much memory there is or how many masks.

Shapes: `draws` = resamples, `swaps` = of masks with the base; others as in `analysis.results.sample`.
"""

from collections.abc import Iterator
from functools import lru_cache

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy import special

from analysis.results.sample import Sample

BOOTSTRAP, SWAPS = 0, 1
"""Streams of random numbers that one seed gives."""

ENOUGH_FOR_AN_INTERVAL = 2000
"""Resamples that an interval needs where no p value, which is a share of them, is wanted."""

BYTES_KEPT = 64 * 2**20
"""That draws which several samples have in common may take."""


def bootstrap(sample: Sample, resamples: int, seed: int) -> Float[np.ndarray, "draws others"]:
    """The effect of every mask on resamples of the groups, drawn with replacement: paired bootstrap (Koehn 2004)."""
    on_draws = scores(sample, resamples, seed)
    return on_draws[:, 1:] - on_draws[:, :1]


def scores(sample: Sample, resamples: int, seed: int) -> Float[np.ndarray, "draws masks"]:
    """The score of every mask, the base among them, on those resamples."""
    rng = np.random.default_rng([seed, BOOTSTRAP])
    found = np.empty((resamples, len(sample.masks)))
    for rows in sample.slices(resamples):
        found[rows] = sample.weighted(drawn(rng, rows.stop - rows.start, sample.groups))
    return found


def scores_alike(sample: Sample, resamples: int, seed: int) -> Float[np.ndarray, "draws masks"]:
    """Scores as of `scores`, for samples with as many groups one after the other: their resamples are drawn once.

    Draws that would take more than `BYTES_KEPT` are not kept.
    """
    if 2 * resamples * sample.groups > BYTES_KEPT or sample.groups > np.iinfo(np.int16).max:
        return scores(sample, resamples, seed)
    return sample.weighted(_kept_draws(resamples, sample.groups, seed))


@lru_cache(maxsize=1)
def _kept_draws(resamples: int, groups: int, seed: int) -> Int[np.ndarray, "draws groups"]:
    weights = drawn(np.random.default_rng([seed, BOOTSTRAP]), resamples, groups).astype(np.int16)
    weights.flags.writeable = False
    return weights


def undefined(sample: Sample, resamples: int, seed: int) -> Float[np.ndarray, " others"]:
    """The share of those resamples in which the score of each mask, or of the base, is 0/0."""
    if not sample.metric.may_be_undefined:
        return np.zeros(len(sample.masks) - 1)
    rng = np.random.default_rng([seed, BOOTSTRAP])
    often = np.zeros(len(sample.masks) - 1)
    for rows in sample.slices(resamples):
        found = sample.undefined(drawn(rng, rows.stop - rows.start, sample.groups))
        often += (found[:, 1:] | found[:, :1]).sum(axis=0)
    return often / resamples


def drawn(rng: np.random.Generator, resamples: int, groups: int) -> Int[np.ndarray, "draws groups"]:
    """How often each group is in each resample: multinomial, `groups` draws with equal chances."""
    at = rng.integers(groups, size=(resamples, groups)) + groups * np.arange(resamples)[:, None]
    return np.bincount(at.ravel(), minlength=resamples * groups).reshape(resamples, groups)


def swapped(sample: Sample, resamples: int, seed: int) -> Float[np.ndarray, "swaps others"]:
    """The effect of every mask after its outcomes and those of the base changed places in half of the groups at random.

    Approximate randomisation (Riezler and Maxwell 2005): if a mask changes nothing but by chance, all swaps are equally
    likely. Where there are no more swaps than `resamples`, each is made once, but for the one that changes nothing.
    """
    effects = np.empty((min(resamples, _swaps(sample.groups)), len(sample.masks) - 1))
    swaps = _every_swap(sample) if len(effects) < resamples else _random_swaps(sample, resamples, seed)
    start = 0
    for swap in swaps:
        effects[start : start + len(swap)] = sample.swapped(swap)
        start += len(swap)
    return effects


def percentile(draws: Float[np.ndarray, "draws *any"], alpha: float) -> Float[np.ndarray, "2 *any"]:
    """The interval that leaves out alpha / 2 of the draws on either side: low ends, high ends."""
    return np.quantile(draws, [alpha / 2, 1 - alpha / 2], axis=0)


def bca(
    draws: Float[np.ndarray, "draws others"],
    effects: Float[np.ndarray, " others"],
    without_each: Float[np.ndarray, "groups others"],
    alpha: float,
) -> tuple[Float[np.ndarray, " others"], Float[np.ndarray, " others"]]:
    """The bias-corrected and accelerated interval (Efron 1987), the acceleration by a jackknife over groups.

    Where all draws lie on one side of the effect it does not exist; it is the percentile interval there.
    """
    below = ((draws < effects).mean(axis=0) + (draws <= effects).mean(axis=0)) / 2
    bias = special.ndtri(below)
    deviation = without_each.mean(axis=0) - without_each
    spread = np.square(deviation).sum(axis=0)
    with np.errstate(divide="ignore", invalid="ignore"):
        acceleration = np.where(spread > 0, (deviation**3).sum(axis=0) / (6 * spread**1.5), 0.0)
        bounds = []
        for level in (alpha / 2, 1 - alpha / 2):
            z = bias + special.ndtri(level)
            share = special.ndtr(bias + z / (1 - acceleration * z))
            bounds.append(_quantile(draws, np.where(np.isfinite(bias), share, level)))
    return bounds[0], bounds[1]


def _quantile(draws: Float[np.ndarray, "draws others"], share: Float[np.ndarray, " others"]) -> np.ndarray:
    """As `np.quantile` (linear), with a share for each column."""
    ordered = np.sort(draws, axis=0)
    at = share * (len(draws) - 1)
    lower = np.floor(at).astype(int)
    upper = np.minimum(lower + 1, len(draws) - 1)
    column = np.arange(draws.shape[1])
    return ordered[lower, column] + (at - lower) * (ordered[upper, column] - ordered[lower, column])


def _swaps(groups: int) -> int:
    """How many swaps there are beside the one that changes nothing."""
    return 2 ** min(groups, 62) - 1


def _every_swap(sample: Sample) -> Iterator[Bool[np.ndarray, "swaps groups"]]:
    number = np.arange(1, _swaps(sample.groups) + 1)
    for rows in sample.slices(len(number)):
        yield (number[rows, None] >> np.arange(sample.groups) & 1).astype(bool)


def _random_swaps(sample: Sample, resamples: int, seed: int) -> Iterator[Bool[np.ndarray, "swaps groups"]]:
    rng = np.random.default_rng([seed, SWAPS])
    for rows in sample.slices(resamples):
        # one number for each, so that slices of any length give the same swaps; random bits would be cut off
        yield rng.random((rows.stop - rows.start, sample.groups)) < 0.5
