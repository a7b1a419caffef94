"""Selective heads: which matter on one task and not on another, whose effects are in other units or of other sizes?

Effects on two tasks are compared after each was divided by its scale, the root mean square of the true effects of all
heads there: the mean square of the measured effects less the mean square of their standard errors. A scaled effect of
1 is that of a typical head. The difference of the scaled effects of a head has a standard error by a jackknife over
groups of examples, which makes the scales anew each time and takes out what shared examples have in common, and a
Student's t test with as many degrees of freedom as the smaller task has groups, less one; p is corrected by Holm.

A head is selective for a task where all of this is shown: its effect there is significant, its effect on the other task
is equivalent to none (within the margin of that metric), and the scaled effects differ.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from scipy import stats

from analysis.correlation.shared_examples import SharedGroups, additions
from analysis.correlation.true_correlation import NoisyEffects
from analysis.inference.multiplicity import Correction, corrected

FEWEST_GROUPS = 10
"""Groups of examples from which a standard error is told."""

PerHead = Float[np.ndarray, " heads"]


@dataclass(frozen=True, eq=False)
class ScaledEffects:
    """The effects on one task in units of their scale.

    Attributes:
        scale: root mean square of the true effects, in the unit of the metric.
        effects: the scaled effect of each head.
        without: the scaled effects on all examples but those of one group, for every group, with a scale of their own.
    """

    scale: float
    effects: PerHead
    without: Float[np.ndarray, "groups heads"]


@dataclass(frozen=True, eq=False)
class ScaledDifferences:
    """How the scaled effects of each head differ between two tasks.

    Attributes:
        a: the effects on one.
        b: the effects on the other.
        value: scaled effect on the first less that on the second.
        low: lower end of its interval.
        high: upper end.
        p: chance of such a difference were the scaled effects equal, two-sided, for this head alone.
        p_corrected: p as corrected over all heads, by Holm.
    """

    a: ScaledEffects
    b: ScaledEffects
    value: PerHead
    low: PerHead
    high: PerHead
    p: PerHead
    p_corrected: PerHead


def scaled(own: NoisyEffects) -> ScaledEffects | str:
    """The effects on a task in units of their scale; or why they have none."""
    count = len(own.without)
    if count < FEWEST_GROUPS:
        return f"{own.domain} has {count} groups of examples: a scale needs {FEWEST_GROUPS}"
    noise = float((count - 1) / count * np.square(own.without - own.without.mean(axis=0)).sum(axis=0).mean())
    squares = np.square(np.vstack([own.effects, own.without])).mean(axis=1) - noise
    if squares.min() <= 0:
        return f"the effects on {own.domain} are not above their noise: they have no scale"
    scales = np.sqrt(squares)
    return ScaledEffects(float(scales[0]), own.effects / scales[0], own.without / scales[1:, None])


def scaled_differences(a: NoisyEffects, b: NoisyEffects, shared: SharedGroups, level: float) -> ScaledDifferences | str:
    """Compare the scaled effects on two tasks; or say why they cannot be.

    Args:
        a: effects on one task.
        b: effects of the same heads on the other.
        shared: the groups of examples that both have.
        level: probability that intervals hold.
    """
    one, other = scaled(a), scaled(b)
    if isinstance(one, str):
        return one
    if isinstance(other, str):
        return other
    x, y = additions(one.without), additions(other.without)
    variance = sum(np.square(own).sum(axis=0) / (len(own) * (len(own) - 1)) for own in (x, y))
    if shared.count:
        variance -= 2 * (x[shared.at_a] * y[shared.at_b]).sum(axis=0) / shared.divisor
    error = np.sqrt(np.maximum(variance, np.finfo(float).tiny))
    free = min(len(x), len(y)) - 1
    value = one.effects - other.effects
    half = float(stats.t.ppf((1 + level) / 2, free)) * error
    p = 2 * stats.t.sf(np.abs(value) / error, free)
    return ScaledDifferences(one, other, value, value - half, value + half, p, corrected(p, Correction.holm))
