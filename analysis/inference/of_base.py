"""Interval of the base score: the score of the full mask on examples drawn anew."""

from typing import NamedTuple

import numpy as np

from analysis.inference import resampling
from analysis.inference.flips import FEW, PERCENT, clopper_pearson
from analysis.inference.options import Inference, Interval
from analysis.inference.sample import Sample
from analysis.read import Domain

BINOMIAL = "binomial"
"""How the interval of an accuracy is made where a bootstrap would know too little."""


class ScoreInterval(NamedTuple):
    """Ends in the unit of the score, and how they were made; None where nothing can be resampled."""

    low: float | None = None
    high: float | None = None
    interval: str | None = None


def base_interval(domain: Domain, options: Inference) -> ScoreInterval:
    """The interval of a domain's base score; see `score_interval`.

    Raises:
        InputError: when the examples have no such column of groups.
    """
    return score_interval(Sample.of(domain, options.groups, []), options, countable=domain.has_flips)


def score_interval(sample: Sample, options: Inference, *, countable: bool) -> ScoreInterval:
    """The interval of the score of a sample's first mask, by a bootstrap over groups of examples.

    Of an accuracy with fewer than 20 examples wrong, or right, it is the exact binomial one (Clopper and Pearson 1934);
    examples that are wrong together in a group count for fewer, as flips do.

    Args:
        sample: of one mask or more.
        options: alpha, seed, interval, resamples (`ENOUGH_FOR_AN_INTERVAL` at most).
        countable: whether the score is of right and wrong examples that count alike.
    """
    if sample.groups < 2:
        return ScoreInterval()
    right = sample.sums[0, :, 0]
    for counts, of_right in ((right, True), (sample.sizes - right, False)) if countable else ():
        together = np.square(counts).sum() / counts.sum() if counts.any() else 1.0
        if counts.sum() / together < FEW or not options.interval.needs_bootstrap:
            ends = clopper_pearson(counts.sum() / together, sample.examples / together, options.alpha)
            low, high = (PERCENT * float(end) for end in ends)
            return ScoreInterval(*((low, high) if of_right else (PERCENT - high, PERCENT - low)), BINOMIAL)
    draws = resampling.scores(sample, min(options.resamples, resampling.ENOUGH_FOR_AN_INTERVAL), options.seed)
    if options.interval is Interval.bca:
        ends = resampling.bca(draws, sample.scores, sample.without_each, options.alpha)
    else:
        ends = resampling.percentile(draws, options.alpha)
    return ScoreInterval(float(ends[0][0]), float(ends[1][0]), str(options.interval))
