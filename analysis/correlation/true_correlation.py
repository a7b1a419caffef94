"""Two correlations between the effects of heads on two domains, which answer two questions, with their intervals.

*As measured*: r of the effects that test sets of this size show. Sampling noise is part of it, so it grows with the
test sets. *True*: r of the effects that test sets without end would show,

    (cov(A, B) - noise AB) / sqrt((var A - noise A) (var B - noise B)),    noise = trace(S (I - 11'/H)) / (H - 1),

with S the covariance, over samples, of the H estimated effects (Fuller 1987, Measurement Error Models, 1.1): of those
on A, on B, and between both. The last is nought where the two have no example in common, as two domains; two seeds
measured on the same examples have the same accidents in both, which is covariance and no agreement. What all heads
share, such as the error of the base score, moves no correlation, hence the centring over heads.

Both intervals are delete-one-group jackknives over both domains, with t quantiles of the smaller number of groups less
one; a group that both have is left out of both at once. They are on Fisher's z for r as measured; for the true r, all
values that a test on the scale of z does not refuse (Fieller 1954), so that the interval is never outside -1 to 1 and
widens to all of it where effects are mostly noise. The heads are these heads: nothing is said about others.
`design/correlation.md` has the coverage.

Shapes: `heads` = heads measured on both domains, `groups` = groups of examples (premises, documents) of one domain,
`units` = groups of one stratum: those that only A has, that only B has, that both have.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from jaxtyping import Float
from scipy import optimize

from analysis.correlation import jackknife
from analysis.correlation.coefficients import centred, pearson
from analysis.correlation.jackknife import Stratum, fisher_z, stratum_weight
from analysis.correlation.shared_examples import SharedGroups, additions, disjoint, divisor
from analysis.inference.significance import TIE

LEVEL = 0.95

FEWEST_GROUPS = 3
"""Groups of a jackknife: the noise of what is left without one group needs two more."""

Values = Float[np.ndarray, "..."] | float
"""A number, or one for each group left out."""

NO_INTERVAL = "no interval: without one group all effects on a domain are equal"


@dataclass(frozen=True, eq=False)
class NoisyEffects:
    """The effects of heads on one domain, and what they are without each group of examples.

    Attributes:
        domain: its name, for reasons.
        effects: effects of the heads, in the metric's unit.
        without: effects on all examples but those of one group, for every group.
    """

    domain: str
    effects: Float[np.ndarray, " heads"]
    without: Float[np.ndarray, "groups heads"]


@dataclass(frozen=True)
class Estimate:
    """A correlation with its interval; None where it does not exist, and then why.

    The true r is not cut at 1: noise may take it beyond, but not its interval.
    """

    value: float | None = None
    low: float | None = None
    high: float | None = None
    reason: str | None = None


@dataclass(frozen=True, eq=False)
class Moments:
    """Second moments over heads, centred and divided by H - 1: of the whole sample, or one for each group left out."""

    covariance: Values
    variance_a: Values
    variance_b: Values
    noise_a: Values
    noise_b: Values
    shared_noise: Values = 0.0

    @property
    def measured(self) -> Values:
        """R of the effects as measured."""
        return self.covariance / np.sqrt(self.variance_a * self.variance_b)

    @property
    def own(self) -> Values:
        """R of the effects as measured, but for the noise that both share."""
        return (self.covariance - self.shared_noise) / np.sqrt(self.variance_a * self.variance_b)

    @property
    def attenuation(self) -> Values:
        """What noise leaves of the true r, by the shares of both variances that are not noise; 0 where all may be."""
        reliability_a = np.maximum(1 - self.noise_a / self.variance_a, 0)
        reliability_b = np.maximum(1 - self.noise_b / self.variance_b, 0)
        return np.sqrt(reliability_a * reliability_b)


def noise(sample: NoisyEffects) -> float:
    """Variance over heads that sampling alone gives the estimated effects: trace(S (I - 11'/H)) / (H - 1)."""
    return _noise(centred(sample.without))[0]


def noise_shares(sample: NoisyEffects) -> Float[np.ndarray, " groups"]:
    """The part of each group of examples in `noise`; they add up to 1, and are 0 where there is no noise."""
    squares = _squares(centred(sample.without))
    return squares / max(squares.sum(), np.finfo(float).tiny)


def r_without_each(a: NoisyEffects, b: NoisyEffects, shared: SharedGroups | None = None) -> list[Stratum]:
    """R of the effects as measured without each group: of those that A has alone, that B has alone, that both have.

    Of a stratum without groups there is an empty one; r is NaN where there is none.
    """
    _, strata = _moments(a, b, shared or disjoint(len(a.without), len(b.without)))
    return [stratum.of(lambda moments: moments.measured) for stratum in strata]


def measured_r(a: NoisyEffects, b: NoisyEffects, level: float = LEVEL, shared: SharedGroups | None = None) -> Estimate:
    """R of the effects as measured at the sizes of these test sets.

    Args:
        a: effects on one domain, which are not all equal.
        b: effects of the same heads on another.
        level: probability that the interval holds.
        shared: which groups of examples both have; None: they have none in common.
    """
    value = float(pearson(a.effects, b.effects))
    few = _too_few(a, b)
    if few:
        return Estimate(value, reason=few)
    found = jackknife.interval(value, *_filled(r_without_each(a, b, shared)), parts=_parts(a, b), level=level)
    return Estimate(value, reason=NO_INTERVAL) if found is None else Estimate(value, *found)


def true_r(a: NoisyEffects, b: NoisyEffects, level: float = LEVEL, shared: SharedGroups | None = None) -> Estimate:
    """R of the true effects: noise taken out of both variances, and what is shared of it out of the covariance.

    Noise can take the quotient beyond 1 or -1; then the estimate is that end. The arguments are those of `measured_r`.
    """
    few = _too_few(a, b)
    if few:
        return Estimate(reason=few)
    whole, strata = _moments(a, b, shared or disjoint(len(a.without), len(b.without)))
    noisy = [
        f"the variance of the effects on {sample.domain} ({variance:.3g}) is not above its noise ({noise_:.3g})"
        for sample, variance, noise_ in ((a, whole.variance_a, whole.noise_a), (b, whole.variance_b, whole.noise_b))
        if variance <= noise_
    ]
    if noisy:
        return Estimate(reason=f"not estimable: {'; '.join(noisy)}")
    value = float(whole.own / whole.attenuation)
    beyond = partial(_beyond, whole, strata, jackknife.quantile(level, _parts(a, b)))
    if not np.isfinite(beyond(0.0)):
        return Estimate(value, reason=NO_INTERVAL)
    low, high = _interval(beyond, value)
    if (low, high) == (-1.0, 1.0):
        return Estimate(reason="not estimable: at this noise any value from -1 to 1 would fit")
    return Estimate(float(np.clip(value, -1.0, 1.0)), low, high)


@dataclass(frozen=True, eq=False)
class _Deletions:
    """Moments without each group of one stratum, and the stratum's weight."""

    moments: Moments
    weight: float

    def of(self, number: Callable[[Moments], Values]) -> Stratum:
        """A number without each group; not finite where it does not exist."""
        with np.errstate(invalid="ignore", divide="ignore"):
            return Stratum(np.asarray(number(self.moments)), self.weight)


def _filled(strata: Sequence[Stratum]) -> list[Stratum]:
    return [stratum for stratum in strata if len(stratum.values)]


def _parts(a: NoisyEffects, b: NoisyEffects) -> int:
    """How many groups the smaller domain has."""
    return min(len(a.without), len(b.without))


def _beyond(whole: Moments, strata: Sequence[_Deletions], quantile: float, rho: float) -> float:
    """Above zero where the test refuses that the true r is rho."""
    difference = float(_difference(whole, rho))
    replicates = _filled([stratum.of(lambda moments: _difference(moments, rho)) for stratum in strata])
    return abs(difference) - quantile * jackknife.error(difference, *replicates)


def _difference(moments: Moments, rho: float) -> Values:
    """How far r is, but for shared noise, from what noise would leave of a true r of rho, on Fisher's scale."""
    return fisher_z(moments.own) - fisher_z(rho * moments.attenuation)


def _interval(beyond: Callable[[float], float], value: float) -> tuple[float, float]:
    """The values on both sides of an estimate that a test does not refuse, within -1 and 1."""
    inside = float(np.clip(value, -1.0, 1.0))
    if beyond(inside) > 0:  # noise took the estimate so far beyond 1 that the test refuses even that
        return inside, inside
    low, high = (
        end if beyond(end) <= 0 else float(optimize.brentq(beyond, *sorted((inside, end)), xtol=1e-6))  # type: ignore[reportArgumentType]
        for end in (-1.0, 1.0)
    )
    return low, high


def _moments(a: NoisyEffects, b: NoisyEffects, shared: SharedGroups) -> tuple[Moments, list[_Deletions]]:
    """Moments of the whole samples; and without each group that A has alone, that B has alone, that both have."""
    free = a.effects.size - 1
    whole_a, whole_b = centred(a.effects), centred(b.effects)
    left_a, left_b = centred(a.without), centred(b.without)
    variance_a, variance_b, variances_a, variances_b = map(_variance, (whole_a, whole_b, left_a, left_b))
    (noise_a, noises_a), (noise_b, noises_b) = _noise(left_a), _noise(left_b)
    noise_ab, noises_ab = _shared_noise(left_a, left_b, shared)
    whole = Moments(float(whole_a @ whole_b / free), variance_a, variance_b, noise_a, noise_b, noise_ab)
    i, j, (both_a, both_b) = shared.alone_a, shared.alone_b, (shared.at_a, shared.at_b)
    moments = (
        Moments((left_a @ whole_b / free)[i], variances_a[i], variance_b, noises_a[i], noise_b, noises_ab[0]),
        Moments((left_b @ whole_a / free)[j], variance_a, variances_b[j], noise_a, noises_b[j], noises_ab[1]),
        Moments(
            (left_a[both_a] * left_b[both_b]).sum(axis=1) / free,
            *(variances_a[both_a], variances_b[both_b], noises_a[both_a], noises_b[both_b], noises_ab[2]),
        ),
    )
    sizes = (shared.groups_a,), (shared.groups_b,), (shared.groups_a, shared.groups_b)
    counts = len(i), len(j), shared.count
    weights = [stratum_weight(count, *size) if count else 1.0 for count, size in zip(counts, sizes, strict=True)]
    return whole, [_Deletions(own, weight) for own, weight in zip(moments, weights, strict=True)]


def _shared_noise(
    left_a: Float[np.ndarray, "groups_a heads"], left_b: Float[np.ndarray, "groups_b heads"], shared: SharedGroups
) -> tuple[float, list[Values]]:
    """Noise that both samples share, of the whole; and without each group of each stratum, as exactly as in `_noise`.

    The second is what `sampling_covariance` is without a group: deleting one from a sum of products about two means.
    """
    if not shared.count:
        return 0.0, [0.0, 0.0, np.zeros(0)]
    free = left_a.shape[1] - 1
    x, y = additions(left_a), additions(left_b)
    both_x, both_y = x[shared.at_a], y[shared.at_b]
    products = (both_x * both_y).sum(axis=1)
    total, sum_x, sum_y = products.sum(), both_x.sum(axis=0), both_y.sum(axis=0)
    a, b, m = shared.groups_a, shared.groups_b, shared.count
    without_a = total + x[shared.alone_a] @ sum_y / (a - 1)
    without_b = total + y[shared.alone_b] @ sum_x / (b - 1)
    of_y = (both_y * (sum_x - both_x)).sum(axis=1) / (b - 1)
    of_x = (both_x * (sum_y - both_y)).sum(axis=1) / (a - 1)
    without_both = total - products + of_y + of_x + (m - 1) * products / ((a - 1) * (b - 1))
    return float(total / shared.divisor / free), [
        without_a / divisor(a - 1, b, m) / free,
        without_b / divisor(a, b - 1, m) / free,
        without_both / divisor(a - 1, b - 1, m - 1) / free,
    ]


def _variance(effects: Float[np.ndarray, "... heads"]) -> Float[np.ndarray, "..."]:
    """Variance of effects that are centred over heads; exactly 0 where they are equal but for rounding."""
    variance = np.square(effects).sum(axis=-1) / (effects.shape[-1] - 1)
    return np.where(variance < TIE**2, 0.0, variance)


def _noise(left: Float[np.ndarray, "groups heads"]) -> tuple[float, Float[np.ndarray, " groups"]]:
    """Noise of the whole sample, and of what is left without each group; both from effects centred over heads.

    The second is exact for means over groups of one size: deleting a group from a sum of squares about a mean.
    """
    count, squares = len(left), _squares(left)
    whole = float((count - 1) / count * squares.sum())
    rest = (count - 1) / (count - 2) * (squares.sum() - count / (count - 1) * squares)
    return whole, rest


def _squares(left: Float[np.ndarray, "groups heads"]) -> Float[np.ndarray, " groups"]:
    """How far all heads are from their means over groups without each group: mean squares, of centred effects."""
    return np.square(left - left.mean(axis=0)).sum(axis=1) / (left.shape[1] - 1)


def _too_few(a: NoisyEffects, b: NoisyEffects) -> str | None:
    few = [f"{sample.domain} has {len(sample.without)}" for sample in (a, b) if len(sample.without) < FEWEST_GROUPS]
    return f"a jackknife needs {FEWEST_GROUPS} groups of examples: {', '.join(few)}" if few else None
