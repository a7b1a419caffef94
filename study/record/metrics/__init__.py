"""Metrics, a file each; a new one takes its file, a name in `MetricName`, and a line in `metric`."""

from study.record.metrics.accuracy import Accuracy
from study.record.metrics.bleu import Bleu
from study.record.metrics.chrf import Chrf
from study.record.metrics.metric import Metric, MetricName, Scoring

__all__ = ["Accuracy", "Bleu", "Chrf", "Metric", "MetricName", "Scoring", "metric"]


def metric(name: MetricName, language: str = "", tokenize: str | None = None) -> Metric:
    """The metric of this name.

    Args:
        name: name of the metric.
        language: code of the language of the texts; chooses the tokens of BLEU.
        tokenize: sacreBLEU's name of a tokeniser of BLEU, chosen by hand.
    """
    if name is MetricName.BLEU:
        return Bleu(language, tokenize)
    return {MetricName.ACCURACY: Accuracy, MetricName.CHRF: Chrf}[name]()
