"""Chance of a domain (`study.record.chance`), and whether its base score is shown to lie above it.

A BLEU without a right 4-gram is at its floor besides: all that it has comes of smoothing.
"""

from dataclasses import replace
from typing import Any

from analysis.inference import Inference
from analysis.inference.base_interval import score_interval
from analysis.results.domain import Domain
from analysis.results.sample import Sample
from study.record.chance import chance as chance_of
from study.record.metrics import Bleu


def chance(domain: Domain) -> float | None:
    """The score of a domain's answers dealt out to other examples, in its unit; None where there is no such score."""
    return chance_of(domain.rows.filter(mask=domain.layout.full_key), domain.examples, domain.metric)


def chance_columns(domain: Domain, inference: Inference) -> dict[str, Any]:
    """`chance`, and `above_chance`: whether the lower end of a one-sided interval of the base score lies above it.

    The second is None where there is no chance, or nothing can be resampled; of BLEU it asks for 4-grams besides.
    """
    expected = chance(domain)
    sample = domain.sample(inference.groups).select([])
    one_sided = replace(inference, alpha=min(2 * inference.alpha, 0.5))
    low = score_interval(sample, one_sided, countable=domain.has_flips).low
    if expected is None or low is None:
        return {"chance": expected, "above_chance": None}
    return {"chance": expected, "above_chance": low > expected and not _is_smoothing(sample, inference.alpha)}


def _is_smoothing(sample: Sample, alpha: float) -> bool:
    """Whether the base score is a BLEU that may be all smoothing: more than alpha of resamples have no 4-gram right.

    Without smoothing such a BLEU is 0, whatever the words. Of G groups of which k have one right, a resample has none
    with the probability (1 - k / G)^G.
    """
    if sample.metric.name != Bleu.name:
        return False
    longest = sample.metric.statistics.index("correct_4")
    some = (sample.sums[0, :, longest] > 0).mean()
    return bool((1 - some) ** sample.groups > alpha)
