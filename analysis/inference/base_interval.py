"""Interval of the base score: the score of the full mask on examples drawn anew."""

from typing import Any, NamedTuple

import numpy as np

from analysis.inference import resampling
from analysis.inference.discordant_pairs import FEW, PERCENT, clopper_pearson
from analysis.inference.options import Inference, Interval
from analysis.results.domain import Domain
from analysis.results.sample import Sample

BINOMIAL = "binomial"
"""How the interval of an accuracy is made where a bootstrap would know too little."""


class ScoreInterval(NamedTuple):
    """Ends in the unit of the score, and how they were made; None where nothing can be resampled.

    Attributes:
        low: lower end.
        high: upper end.
        interval: how it was made.
        resamples: that it was made of; None of a binomial one.
    """

    low: float | None = None
    high: float | None = None
    interval: str | None = None
    resamples: int | None = None


def base_interval(domain: Domain, options: Inference) -> dict[str, Any]:
    """The interval of a domain's base score: `score_interval` by name, then groups, group, alpha and seed.

    Raises:
        InputError: when the examples have no such column of groups.
    """
    sample = domain.sample(options.groups).select([])
    found = score_interval(sample, options, countable=domain.has_flips)
    made = {"groups": sample.groups, "group": sample.unit, "alpha": options.alpha, "seed": options.seed}
    return found._asdict() | made


def score_interval(sample: Sample, options: Inference, *, countable: bool) -> ScoreInterval:
    """The interval of the score of a sample's first mask, by a bootstrap over groups of examples.

    Of an accuracy with fewer than 20 examples wrong, or right, it is the exact binomial one (Clopper and Pearson 1934);
    where groups are right or wrong together, each example counts for less, by the design effect.

    Args:
        sample: a sample of one mask or more.
        options: alpha, seed, interval, resamples (`ENOUGH_FOR_AN_INTERVAL` at most).
        countable: whether the score is of right and wrong examples that count alike.
    """
    if sample.groups < 2:
        return ScoreInterval()
    if countable:
        right, weight = int(sample.totals[0, 0]), 1 / _design_effect(sample)
        if weight * min(right, sample.examples - right) < FEW or not options.interval.needs_bootstrap:
            low, high = clopper_pearson(weight * right, weight * sample.examples, options.alpha)
            return ScoreInterval(PERCENT * float(low), PERCENT * float(high), BINOMIAL)
    resamples = min(options.resamples, resampling.ENOUGH_FOR_AN_INTERVAL)
    draws = resampling.scores(sample, resamples, options.seed)
    if options.interval is Interval.bca:
        ends = resampling.bca(draws, sample.scores, sample.without_each, options.alpha)
    else:
        ends = resampling.percentile(draws, options.alpha)
    return ScoreInterval(float(ends[0][0]), float(ends[1][0]), str(options.interval), resamples)


def _design_effect(sample: Sample) -> float:
    """How many times the variance of single examples' the variance of a share is; 1 or more (Kish 1965)."""
    right, share = sample.sums[0, :, 0], sample.totals[0, 0] / sample.examples
    if share in (0, 1):
        return 1.0
    between = np.square(right - share * sample.sizes).sum()
    return max(1.0, float(between / (sample.examples * share * (1 - share))))
