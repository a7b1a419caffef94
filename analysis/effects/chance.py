"""Chance: what a model would score whose answers knew nothing of their inputs.

It is the score of the model's own answers, with every head on, dealt out to other examples than those they were given
for. Of a classifier that is the agreement that Cohen (1960) expects by chance: the sum over labels of the share of
answers times the share of examples. Of a translator each translation is held against the reference half of the data
set further on; a BLEU without a right 4-gram is at its floor besides. At chance a share of the score means nothing, and
an effect says nothing of what heads know.

Of losses only those of the right answers are stored: chance is what a model scores whose probabilities are the shares
of the labels, or a regression whose output is the mean of the targets. Better is not to be had without an input.

Of a language model that chooses among K continuations it is the accuracy of one that finds all of them equally likely,
the mean of 1 / K. Log-likelihoods have no chance, nor has the loss of a choice: sums over long continuations may lie
far apart, so that one wrong answer costs more than all guesses, and the right one is on top all the same.

The share of the commonest label would be too much to ask on a set of nearly one label, as a model cannot know that it
is one; and 100 / labels too little of a model that always gives the commonest.
"""

from dataclasses import replace
from typing import Any

import numpy as np
import polars as pl

from analysis.inference import Inference
from analysis.inference.base_interval import score_interval
from analysis.results.domain import HYPOTHESIS, PREDICTION, Domain
from analysis.results.sample import Sample
from study.record.examples import WEIGHT, text_columns
from study.record.metrics import Bleu, Task
from study.record.metrics.choices.choice_accuracy import LikeliestChoice
from study.record.metrics.choices.targets import LogitDifference
from study.record.metrics.loss import LossMetric
from study.record.metrics.numbers import numbers


def chance(domain: Domain) -> float | None:
    """The score of a domain's answers dealt out to other examples, in its unit.

    Outputs of a regression that are dealt out have no correlation, 0. Without stored answers: 100 / labels of accuracy,
    0 of a translation. None of a classification set of one label, on which no answer can be told from knowledge.
    """
    metric = domain.metric
    match metric.task:
        case Task.REGRESSION:
            return _spread_chance(domain) if isinstance(metric, LossMetric) else 0.0
        case Task.CLASSIFICATION:
            return (_entropy_chance if isinstance(metric, LossMetric) else _label_chance)(domain)
        case Task.TRANSLATION:
            return _translation_chance(domain)
        case Task.CHOICE:
            return _choice_chance(domain)
        case Task.TEXT:
            return None


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


def _answers(domain: Domain) -> pl.DataFrame:
    """The rows of the full mask in the order of the examples, with targets and weights (1 where all count alike)."""
    rows = domain.rows.filter(mask=domain.layout.full_key).drop(WEIGHT, strict=False)
    weight = pl.col(WEIGHT) if WEIGHT in domain.examples.columns else pl.lit(1.0).alias(WEIGHT)
    return domain.examples.select("example", "target", weight).join(rows, on="example", maintain_order="left")


def _label_chance(domain: Domain) -> float | None:
    labels = domain.examples["target"].n_unique()
    if labels < 2:
        return None
    if PREDICTION not in domain.rows.columns or not domain.metric.answers.labels:
        return 100.0 / labels
    rows, total = _answers(domain), pl.col(WEIGHT).sum()
    given, asked = (rows.group_by(name).agg(total.alias(name + "_weight")) for name in (PREDICTION, "target"))
    both = given.join(asked, how="cross")
    often = (both[PREDICTION + "_weight"] * both["target_weight"]).to_numpy()
    statistics = domain.metric.count(both)
    return float(domain.metric.score((statistics * often[:, None]).sum(axis=0)))


def _entropy_chance(domain: Domain) -> float | None:
    """Minus the entropy of the labels, nats."""
    weights = _answers(domain).group_by("target").agg(pl.col(WEIGHT).sum())[WEIGHT].to_numpy()
    shares = weights / weights.sum()
    return None if shares.size < 2 else float((shares * np.log(shares)).sum())


def _spread_chance(domain: Domain) -> float:
    """Minus the variance of the targets."""
    rows = _answers(domain)
    targets, weights = numbers(rows["target"]), rows[WEIGHT].to_numpy()
    return -float(np.average(np.square(targets - np.average(targets, weights=weights)), weights=weights))


def _choice_chance(domain: Domain) -> float | None:
    """What a model scores that finds all continuations equally likely; None where an example has one alone."""
    texts = text_columns(domain.examples.columns)
    choices = domain.examples.select(pl.sum_horizontal(pl.col(texts).is_not_null()) - 1).to_series().to_numpy()
    if choices.min() < 2:
        return None
    weights = _answers(domain)[WEIGHT].to_numpy()
    match domain.metric:
        case LikeliestChoice():
            return float(100 * np.average(1 / choices, weights=weights))
        case LogitDifference():
            return 0.0
    return None


def _translation_chance(domain: Domain) -> float:
    if HYPOTHESIS not in domain.rows.columns:
        return 0.0
    rows = _answers(domain)
    half = rows.height // 2
    if not half or rows[HYPOTHESIS].null_count():
        return 0.0
    dealt = rows["target"][half:].append(rows["target"][:half])
    statistics = domain.metric.count(rows.select(HYPOTHESIS, target=dealt))
    return float(domain.metric.score((statistics * rows[WEIGHT].to_numpy()[:, None]).sum(axis=0)))
