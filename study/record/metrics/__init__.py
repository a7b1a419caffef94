"""Metrics, a file each; a new one takes its file and a line in `METRICS`."""

from collections.abc import Mapping

from study.record.errors import InputError
from study.record.lines import did_you_mean
from study.record.metrics.accuracy import Accuracy
from study.record.metrics.bleu import Bleu
from study.record.metrics.choices.choice_accuracy import (
    ChoiceAccuracy,
    ChoiceAccuracyBytes,
    ChoiceAccuracyCharacters,
    ChoiceAccuracyPmi,
    ChoiceAccuracyTokens,
    LikeliestChoice,
)
from study.record.metrics.choices.targets import LogitDifference, TargetAccuracy, TargetLoglik, TargetPerplexity
from study.record.metrics.chrf import Chrf
from study.record.metrics.f1 import F1, MacroF1
from study.record.metrics.loss import LogLikelihood, SquaredError
from study.record.metrics.matthews import Matthews
from study.record.metrics.metric import ANY, Answers, Metric, Scoring, Task
from study.record.metrics.no_score import NoScore
from study.record.metrics.pearson import Pearson
from study.record.metrics.spearman import Spearman
from study.record.metrics.texts.ratios import BitsPerByte, BytePerplexity, Perplexity, TokenAccuracy, WordPerplexity

__all__ = [
    "CHOOSING",
    "METRICS",
    "STORED",
    "Accuracy",
    "Answers",
    "Bleu",
    "Chrf",
    "Metric",
    "NoScore",
    "Scoring",
    "Task",
    "metric",
]

METRICS: Mapping[str, type[Metric]] = {
    kind.name: kind
    for kind in (
        Accuracy,
        Matthews,
        F1,
        MacroF1,
        Pearson,
        Spearman,
        LogLikelihood,
        SquaredError,
        Bleu,
        Chrf,
        ChoiceAccuracy,
        ChoiceAccuracyCharacters,
        ChoiceAccuracyBytes,
        ChoiceAccuracyTokens,
        ChoiceAccuracyPmi,
        LogitDifference,
        TargetAccuracy,
        TargetLoglik,
        TargetPerplexity,
        BitsPerByte,
        BytePerplexity,
        WordPerplexity,
        Perplexity,
        TokenAccuracy,
    )
}
"""Every metric that scores, by its name."""

CHOOSING = tuple(kind() for kind in METRICS.values() if issubclass(kind, LikeliestChoice))
"""The metrics by which a choice is the likeliest."""

STORED = {
    Task.CLASSIFICATION: Accuracy.name,
    Task.REGRESSION: Pearson.name,
    Task.TRANSLATION: Bleu.name,
    Task.CHOICE: ChoiceAccuracy.name,
    Task.TEXT: BitsPerByte.name,
    Task.READING: NoScore.name,
}
"""The metric whose columns are in the outcomes of a task; the others follow from the answers beside them."""


def metric(name: str, answers: Answers = ANY) -> Metric:
    """The metric of this name.

    Args:
        name: name of the metric.
        answers: what it must know of the answers that it scores.

    Raises:
        InputError: when there is none of this name, or it cannot score such answers.
    """
    if name == NoScore.name:
        return NoScore(answers)
    if name not in METRICS:
        raise InputError(f"there is no metric '{name}': there are {', '.join(METRICS)}{did_you_mean(name, METRICS)}")
    return METRICS[name](answers)
