"""The score of a model that reads nothing: the best constant answer, or a choice at random."""

import polars as pl

from study.record.examples import Examples
from study.record.metrics import Metric, Task
from study.record.scores import mask_scores, with_statistics, with_weights


def chance_score(examples: Examples, metric: Metric) -> float | None:
    """The score of what needs no text, in the metric's unit; None where there is no such answer.

    Args:
        examples: the examples.
        metric: their metric: of labels, the best of those that a model gets which always says the same; of choices
            that are right or wrong, the mean of one by the number of alternatives.
    """
    if metric.task is Task.CHOICE and metric.is_share:
        return 100.0 * sum(1 / (len(texts) - 1) for texts in examples.texts) / len(examples)
    if metric.task is not Task.CLASSIFICATION or metric.reads != ("prediction",):
        return None
    labels = range(len(metric.answers.labels))
    constant = pl.concat(
        pl.DataFrame(
            {"mask": [str(label)] * len(examples), "example": examples.ids, "prediction": [label] * len(examples)}
        )
        for label in labels
    )
    known = examples.to_frame()
    return float(mask_scores(with_statistics(with_weights(constant, known), known, metric), metric)["score"].max())  # type: ignore[arg-type]
