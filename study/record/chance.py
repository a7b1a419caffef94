"""Chance: what a model would score whose answers knew nothing of their inputs.

It is the score of the model's own answers, with every head on, dealt out to other examples than those they were given
for. Of a classifier that is the agreement that Cohen (1960) expects by chance: the sum over labels of the share of
answers times the share of examples. Of a translator each translation is held against the reference half of the data
set further on. At chance a share of the score means nothing, and an effect says nothing of what heads know.

Of losses only those of the right answers are stored: chance is what a model scores whose probabilities are the shares
of the labels, or a regression whose output is the mean of the targets. Better is not to be had without an input.

Of a language model that chooses among K continuations it is the accuracy of one that finds all of them equally likely,
the mean of 1 / K. Log-likelihoods have no chance, nor has the loss of a choice: sums over long continuations may lie
far apart, so that one wrong answer costs more than all guesses, and the right one is on top all the same.

The share of the commonest label would be too much to ask on a set of nearly one label, as a model cannot know that it
is one; and 100 / labels too little of a model that always gives the commonest.
"""

import numpy as np
import polars as pl

from study.record.examples import WEIGHT, text_columns
from study.record.metrics import Metric, Task
from study.record.metrics.bleu import HYPOTHESIS
from study.record.metrics.choices.choice_accuracy import LikeliestChoice
from study.record.metrics.choices.targets import LogitDifference
from study.record.metrics.labels import PREDICTION
from study.record.metrics.loss import LossMetric
from study.record.metrics.numbers import numbers


def chance(rows: pl.DataFrame, examples: pl.DataFrame, metric: Metric) -> float | None:
    """The score of answers dealt out to other examples, in the metric's unit.

    Outputs of a regression that are dealt out have no correlation, 0. Without stored answers: 100 / labels of accuracy,
    0 of a translation. None of a classification set of one label, on which no answer can be told from knowledge.

    Args:
        rows: outcome rows of the full mask, one for each example.
        examples: the examples: column example, and those that the metric scores answers by.
        metric: what they are scored with.
    """
    match metric.task:
        case Task.REGRESSION:
            return _spread_chance(rows, examples) if isinstance(metric, LossMetric) else 0.0
        case Task.CLASSIFICATION:
            is_loss = isinstance(metric, LossMetric)
            return _entropy_chance(rows, examples) if is_loss else _label_chance(rows, examples, metric)
        case Task.TRANSLATION:
            return _translation_chance(rows, examples, metric)
        case Task.CHOICE:
            return _choice_chance(rows, examples, metric)
        case _:
            return None


def _answers(rows: pl.DataFrame, examples: pl.DataFrame) -> pl.DataFrame:
    """The rows in the order of the examples, with targets and weights (1 where all count alike)."""
    weight = pl.col(WEIGHT) if WEIGHT in examples.columns else pl.lit(1.0).alias(WEIGHT)
    known = rows.drop(WEIGHT, strict=False)
    return examples.select("example", "target", weight).join(known, on="example", maintain_order="left")


def _label_chance(rows: pl.DataFrame, examples: pl.DataFrame, metric: Metric) -> float | None:
    labels = examples["target"].n_unique()
    if labels < 2:
        return None
    if PREDICTION not in rows.columns or not metric.answers.labels:
        return 100.0 / labels
    answers, total = _answers(rows, examples), pl.col(WEIGHT).sum()
    given, asked = (answers.group_by(name).agg(total.alias(name + "_weight")) for name in (PREDICTION, "target"))
    both = given.join(asked, how="cross")
    often = (both[PREDICTION + "_weight"] * both["target_weight"]).to_numpy()
    return float(metric.score((metric.count(both) * often[:, None]).sum(axis=0)))


def _entropy_chance(rows: pl.DataFrame, examples: pl.DataFrame) -> float | None:
    """Minus the entropy of the labels, nats."""
    weights = _answers(rows, examples).group_by("target").agg(pl.col(WEIGHT).sum())[WEIGHT].to_numpy()
    shares = weights / weights.sum()
    return None if shares.size < 2 else float((shares * np.log(shares)).sum())


def _spread_chance(rows: pl.DataFrame, examples: pl.DataFrame) -> float:
    """Minus the variance of the targets."""
    answers = _answers(rows, examples)
    targets, weights = numbers(answers["target"]), answers[WEIGHT].to_numpy()
    return -float(np.average(np.square(targets - np.average(targets, weights=weights)), weights=weights))


def _choice_chance(rows: pl.DataFrame, examples: pl.DataFrame, metric: Metric) -> float | None:
    """What a model scores that finds all continuations equally likely; None where an example has one alone."""
    texts = text_columns(examples.columns)
    choices = examples.select(pl.sum_horizontal(pl.col(texts).is_not_null()) - 1).to_series().to_numpy()
    if choices.min() < 2:
        return None
    match metric:
        case LikeliestChoice():
            return float(100 * np.average(1 / choices, weights=_answers(rows, examples)[WEIGHT].to_numpy()))
        case LogitDifference():
            return 0.0
    return None


def _translation_chance(rows: pl.DataFrame, examples: pl.DataFrame, metric: Metric) -> float:
    if HYPOTHESIS not in rows.columns:
        return 0.0
    answers = _answers(rows, examples)
    half = answers.height // 2
    if not half or answers[HYPOTHESIS].null_count():
        return 0.0
    dealt = answers["target"][half:].append(answers["target"][:half])
    statistics = metric.count(answers.select(HYPOTHESIS, target=dealt))
    return float(metric.score((statistics * answers[WEIGHT].to_numpy()[:, None]).sum(axis=0)))
