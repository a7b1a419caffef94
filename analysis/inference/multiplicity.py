"""Multiplicity: p values of many heads corrected for being many.

Within a family (the heads of one measure on one domain), either the chance of any false discovery is held (max-T, Holm)
or the share of false ones among the discoveries (Benjamini-Hochberg, Benjamini-Yekutieli).
"""

import math
from enum import StrEnum

import numpy as np
from jaxtyping import Float
from scipy import stats

from analysis.inference.significance import TIE, PairedTest
from study.record.errors import InputError


class Correction(StrEnum):
    """How p values are corrected over the heads of a family."""

    max_t = "max_t"
    holm = "holm"
    benjamini_hochberg = "benjamini_hochberg"
    benjamini_yekutieli = "benjamini_yekutieli"
    none = "none"


def check_correction(correction: Correction, test: PairedTest, heads: int, resamples: int, alpha: float) -> None:
    """Refuse a correction that could not find anything.

    Raises:
        InputError: when max-T has no joint draws, or Holm has too few resamples to reject; says how many it needs.
    """
    if correction is Correction.max_t and not test.is_joint:
        joint = " or ".join(name for name in PairedTest if name.is_joint)
        others = ", ".join(name for name in Correction if name is not Correction.max_t)
        raise InputError(
            f"max_t corrects by joint draws, which {test} does not make: test by {joint}, or correct by {others}"
        )
    needed = math.ceil(heads / alpha - 1e-9) - 1
    if correction is Correction.holm and test.has_resamples and resamples < needed:
        raise InputError(
            f"Holm's correction over {heads} heads at {alpha:g} needs p values down to {alpha / heads:.2g}, and "
            f"{resamples:,} resamples end at {1 / (resamples + 1):.2g}: take {needed:,} resamples or more, or "
            f"correct by max_t, which needs no more than one test does"
        )


def corrected(
    p: Float[np.ndarray, " heads"],
    correction: Correction,
    *,
    null: Float[np.ndarray, "draws heads"] | None = None,
    effects: Float[np.ndarray, " heads"] | None = None,
    unit: Float[np.ndarray, " heads"] | None = None,
) -> Float[np.ndarray, " heads"]:
    """The p values of one family, corrected.

    Args:
        p: p value of each head by itself.
        correction: which one.
        null: for max-T, joint draws under the null hypothesis.
        effects: for max-T, what was observed.
        unit: for max-T, as in `max_t`.
    """
    if not p.size or correction is Correction.none:
        return p
    if correction is Correction.max_t:
        assert null is not None
        assert effects is not None
        return max_t(null, effects, unit)
    if correction is Correction.holm:
        return holm(p)
    method = "bh" if correction is Correction.benjamini_hochberg else "by"
    return stats.false_discovery_control(p, method=method)


def max_t(
    null: Float[np.ndarray, "draws heads"],
    effects: Float[np.ndarray, " heads"],
    unit: Float[np.ndarray, " heads"] | None = None,
) -> Float[np.ndarray, " heads"]:
    """Step-down max-T p values of Westfall and Young (1993, algorithm 4.1), from joint draws of all heads.

    Each effect counts in units of its own standard deviation under the null hypothesis, so that noisy heads do not
    decide for all. A head whose outcomes never change has no such unit, and p = 1. Sizes that differ by rounding alone
    are equal: net 3 of 9 flips and net 4 of 16 are both one standard deviation, and a draw of either is as large.

    Args:
        null: joint draws under the null hypothesis.
        effects: what was observed.
        unit: the standard deviation of each head under the null hypothesis where it is known (`Sample.swap_deviation`);
            None takes it from the draws, whose error parts heads that are equal.
    """
    drawn, observed = _studentised(null, effects, unit)
    order = np.argsort(-observed, kind="stable")
    largest_left = np.maximum.accumulate(drawn[:, order[::-1]], axis=1)[:, ::-1]
    p = (1 + (largest_left >= observed[order] - TIE).sum(axis=0)) / (len(null) + 1)
    corrected = np.empty_like(p)
    corrected[order] = np.maximum.accumulate(p)
    return corrected


def critical_size(
    correction: Correction,
    alpha: float,
    null: Float[np.ndarray, "draws heads"] | None,
    effects: Float[np.ndarray, " heads"],
    *,
    test: PairedTest,
    groups: int,
    unit: Float[np.ndarray, " heads"] | None = None,
) -> float:
    """How many standard errors an effect must exceed to be significant when it is the only one of its family.

    Max-T reads it off the largest of all heads in the joint draws; the others test the first head at alpha / heads
    (Benjamini-Yekutieli: less by the harmonic sum), by t of the groups less one. Infinite where there are so few groups
    that no effect could be significant. The unit is as in `max_t`.
    """
    heads = len(effects)
    if not heads:
        return 0.0
    dependence = (1.0 / np.arange(1, heads + 1)).sum() if correction is Correction.benjamini_yekutieli else 1.0
    tests = 1.0 if correction in (Correction.none, Correction.max_t) else heads * dependence
    swaps = test is PairedTest.randomisation
    if swaps and 2.0 ** (1 - groups) > alpha / tests:
        return math.inf
    if correction is not Correction.max_t:
        return float(stats.t.isf(alpha / tests / 2, groups - 1))
    assert null is not None
    drawn, _ = _studentised(null, effects, unit)
    size = float(np.quantile(drawn.max(axis=1), 1 - alpha))
    return _in_standard_errors(size, groups) if swaps else size


def _in_standard_errors(size: float, groups: int) -> float:
    """A size in standard deviations under the swaps, which have the effect in them, in standard errors, which have not.

    Of a sum T over groups, swaps have the variance sum d^2 = s^2 + T^2 / groups, and the jackknife's is groups /
    (groups - 1) s^2. With many groups both sizes are the same.
    """
    rest = groups - size**2
    return size * math.sqrt((groups - 1) / rest) if rest > 0 else math.inf


def holm(p: Float[np.ndarray, " heads"]) -> Float[np.ndarray, " heads"]:
    """Holm's (1979) step-down p values."""
    order = np.argsort(p, kind="stable")
    stepped = np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1))
    corrected = np.empty_like(p)
    corrected[order] = np.minimum(1.0, stepped)
    return corrected


def _studentised(
    null: Float[np.ndarray, "draws heads"],
    effects: Float[np.ndarray, " heads"],
    unit: Float[np.ndarray, " heads"] | None,
) -> tuple[Float[np.ndarray, "draws heads"], Float[np.ndarray, " heads"]]:
    """Sizes of draws and effects in standard deviations: those known, or of the draws with the observed effect."""
    drawn = np.sqrt((np.square(null).sum(axis=0) + np.square(effects)) / (len(null) + 1)) if unit is None else unit
    size = np.where(drawn > TIE, drawn, np.inf)
    return np.abs(null) / size, np.abs(effects) / size
