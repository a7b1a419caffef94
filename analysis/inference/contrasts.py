"""Contrasts: weighted sums of the scores of masks, tested against 0 by a studentised bootstrap over groups.

Swaps of outcomes test that a mask changes nothing. They say nothing of a contrast of effects that may well be there,
such as an interaction: whether e(i, j) is e(i) + e(j). So resamples are centred on what was observed, and each counts
in units of its own standard error (Efron 1979; Hall and Wilson 1991). Intervals and tests are symmetric, and agree.

Shapes: `contrasts` = weighted sums; others as in `analysis.inference.resampling`.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import TypeAlias

import numpy as np
from jaxtyping import Float, Int
from scipy import sparse

from analysis.inference.multiplicity import max_t
from analysis.inference.resampling import BOOTSTRAP, drawn
from analysis.inference.significance import TIE, p_of_draws
from analysis.results.sample import Sample
from study.record.designs.jackknife import standard_error

FEWEST_CHANGED = 20
"""Groups that a contrast must differ in to be tested: of fewer a bootstrap knows too little."""

Weights: TypeAlias = sparse.csr_array
"""The weight of each mask of a sample in each contrast: masks down, contrasts across."""


@dataclass(frozen=True, eq=False)
class Contrasts:
    """Contrasts with what resampling says of them.

    Attributes:
        estimates: the contrasts on all examples.
        error: their standard errors, by a jackknife over groups.
        changed: in how many groups each is not 0.
        sizes: how far each is from what was observed on each resample, in its standard errors there; of those that are
            tested alone.
        groups: groups of examples.
    """

    estimates: Float[np.ndarray, " contrasts"]
    error: Float[np.ndarray, " contrasts"]
    changed: Int[np.ndarray, " contrasts"]
    sizes: Float[np.ndarray, "draws tested"]
    groups: int

    @classmethod
    def of(cls, sample: Sample, weights: Weights, resamples: int, seed: int) -> "Contrasts":
        """The contrasts of a sample.

        Args:
            sample: the masks.
            weights: what each mask counts in each contrast.
            resamples: bootstrap resamples of the groups.
            seed: seed of these.
        """
        estimates, without_each = sample.scores @ weights, sample.without_each @ weights
        changed, error = changed_groups(sample, weights, len(estimates)), standard_error(without_each)
        tested = is_tested(changed, error)
        sizes = _sizes(
            sample, weights[:, tested], estimates[tested], without_each[:, tested], resamples=resamples, seed=seed
        )
        return cls(estimates, error, changed, sizes, sample.groups)

    @cached_property
    def tested(self) -> Int[np.ndarray, " tested"]:
        """Which contrasts are tested."""
        return is_tested(self.changed, self.error)

    @cached_property
    def p(self) -> Float[np.ndarray, " contrasts"]:
        """P of each by itself; NaN of those that are not tested."""
        return self._all(p_of_draws(self.sizes, self._observed))

    @cached_property
    def p_corrected(self) -> Float[np.ndarray, " contrasts"]:
        """P corrected over all that are tested, by step-down max-T; NaN of the others."""
        if not self.tested.size:
            return self._all(np.empty(0))
        return self._all(max_t(self.sizes, self._observed, np.ones(len(self.tested))))

    def interval(self, alpha: float) -> Float[np.ndarray, "2 contrasts"]:
        """The interval that holds each with probability 1 - alpha: low ends, high ends; NaN where it is not tested."""
        size = np.quantile(np.abs(self.sizes), 1 - alpha, axis=0) if self.tested.size else np.empty(0)
        half = self._all(size) * self.error
        return np.stack([self.estimates - half, self.estimates + half])

    @property
    def _observed(self) -> Float[np.ndarray, " tested"]:
        return self.estimates[self.tested] / self.error[self.tested]

    def _all(self, values: Float[np.ndarray, " tested"]) -> Float[np.ndarray, " contrasts"]:
        found = np.full(len(self.estimates), np.nan)
        found[self.tested] = values
        return found


def is_tested(
    changed: Int[np.ndarray, " contrasts"], error: Float[np.ndarray, " contrasts"]
) -> Int[np.ndarray, " tested"]:
    """Which contrasts differ in groups enough to be tested."""
    return np.flatnonzero((changed >= FEWEST_CHANGED) & (error > TIE))


def changed_groups(sample: Sample, weights: Weights, count: int) -> Int[np.ndarray, " contrasts"]:
    """In how many groups a contrast is not 0, each statistic taken by itself."""
    sums = sample.sums.reshape(len(sample.masks), -1)
    rows, columns, values = sparse.find(weights)
    order = np.argsort(columns, kind="stable")
    ends = np.searchsorted(columns[order], np.arange(count + 1))
    changed = np.empty(count, dtype=np.int64)
    for column in range(count):
        at = order[ends[column] : ends[column + 1]]
        total = values[at].astype(np.int64) @ sums[rows[at]]
        changed[column] = total.reshape(sample.sums.shape[1:]).any(axis=-1).sum()
    return changed


def _sizes(
    sample: Sample,
    weights: Weights,
    estimates: Float[np.ndarray, " tested"],
    without_each: Float[np.ndarray, "groups tested"],
    *,
    resamples: int,
    seed: int,
) -> Float[np.ndarray, "draws tested"]:
    """`Contrasts.sizes`.

    On a resample the standard error is that of what its groups add, by the jackknife on all: for a mean it is the
    resample's own, for BLEU that of the linear part.
    """
    rng = np.random.default_rng([seed, BOOTSTRAP])
    sizes = np.empty((resamples, len(estimates)), dtype=np.float32)
    if not len(estimates):
        return sizes
    groups = sample.groups
    added = ((groups - 1) * (without_each.mean(axis=0) - without_each)).astype(np.float32)
    unit = np.sqrt(np.square(added).mean(axis=0))
    added /= unit
    squared = np.square(added)
    for rows in sample.slices(resamples):
        often = drawn(rng, rows.stop - rows.start, groups)
        far = (sample.weighted(often) @ weights - estimates) / unit
        often = often.astype(np.float32)
        spread = (often @ squared) / groups - np.square(often @ added / groups)
        own = np.sqrt(np.maximum(spread, 0) / (groups - 1))
        with np.errstate(divide="ignore", invalid="ignore"):
            sizes[rows] = np.where(np.abs(far) < TIE, 0.0, far / own)
    return sizes
