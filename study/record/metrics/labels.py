"""Metrics of labels: scores that follow from how often each label was right, predicted and asked for.

Statistics of an example, one each for every label k of the data: `right_k` (k was predicted, rightly), `predicted_k`,
`gold_k`. Their sums are the diagonal and the margins of the confusion matrix.

Shapes: `labels` = labels of the data that the model has; `sums` = sums of statistics, over any sets of examples.
"""

from abc import abstractmethod
from functools import cached_property

import numpy as np
import polars as pl
from jaxtyping import Bool, Float, Int, Num

from study.record.errors import InputError
from study.record.metrics.metric import Answers, Metric, Task

PREDICTION = "prediction"
"""Column of an outcome row: which output of a classifier is the largest."""


class LabelMetric(Metric):
    """A score of the sums of `right`, `predicted` and `gold` of every label."""

    tasks = (Task.CLASSIFICATION,)
    reads = (PREDICTION,)

    @cached_property
    def labels(self) -> tuple[str, ...]:
        """The labels that are told apart, in lower case."""
        return tuple(dict.fromkeys(output_labels(self.answers)))

    @property
    def statistics(self) -> tuple[str, ...]:  # pyright: ignore[reportIncompatibleVariableOverride] as many as labels
        """Three for every label, by its number."""
        return tuple(f"{what}_{k}" for what in ("right", "predicted", "gold") for k in range(len(self.labels)))

    @property
    def signature(self) -> str:
        """The name and the unit."""
        return f"{self.name}|percent"

    def count(self, rows: pl.DataFrame) -> Int[np.ndarray, "rows statistics"]:
        """See `Metric.count`."""
        predicted, gold = label_numbers(rows, self.answers)
        each = np.arange(len(self.labels))
        is_predicted, is_gold = (numbers[:, None] == each for numbers in (predicted, gold))
        return np.concatenate([is_predicted & is_gold, is_predicted, is_gold], axis=1).astype(np.int64)

    def score(self, sums: Num[np.ndarray, "... statistics"]) -> Float[np.ndarray, "..."]:
        """100 x `ratio` of the sums, 0 where that is 0/0."""
        above, below = self._ratio(sums)
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.asarray(np.where(below > 0, 100.0 * above / below, 0.0))

    def undefined(self, sums: Num[np.ndarray, "... statistics"]) -> Bool[np.ndarray, "..."]:
        """See `Metric.undefined`."""
        return np.asarray(~(self._ratio(sums)[1] > 0))

    def score_alone(self, statistics: Int[np.ndarray, "rows statistics"]) -> Float[np.ndarray, " rows"]:
        """100 where the answer is right, 0 where it is wrong."""
        return 100.0 * statistics[:, : len(self.labels)].sum(axis=1)

    @abstractmethod
    def ratio(
        self,
        right: Float[np.ndarray, "sums labels"],
        predicted: Float[np.ndarray, "sums labels"],
        gold: Float[np.ndarray, "sums labels"],
    ) -> tuple[Num[np.ndarray, " sums"], Num[np.ndarray, " sums"]]:
        """What stands above and below the line of the score, from how often each label was right, predicted, gold."""

    def _ratio(self, sums: Num[np.ndarray, "... statistics"]) -> tuple[Num[np.ndarray, "..."], Num[np.ndarray, "..."]]:
        rows = np.asarray(sums, dtype=np.float64).reshape(-1, 3, len(self.labels))
        above, below = self.ratio(*rows.swapaxes(0, 1))
        return above.reshape(np.shape(sums)[:-1]), below.reshape(np.shape(sums)[:-1])


def label_numbers(rows: pl.DataFrame, about: Answers) -> tuple[Int[np.ndarray, " rows"], Int[np.ndarray, " rows"]]:
    """The number of the predicted and of the gold label of each row, in the order of `LabelMetric.labels`.

    Raises:
        InputError: when the labels are not known, or a target is none of them.
    """
    outputs = output_labels(about)
    if not outputs:
        raise InputError(
            "the labels of the model are not stored with its outcomes, so that no metric of labels follows"
        )
    index = {label: k for k, label in enumerate(dict.fromkeys(outputs))}
    targets = rows["target"]
    unknown = sorted({str(target) for target in targets.unique()} - {str(t) for t in targets if t.casefold() in index})
    if unknown:
        raise InputError(f"labels {unknown} are none of {', '.join(index)}")
    by_output = np.array([index[label] for label in outputs])
    gold = np.array([index[target.casefold()] for target in targets], dtype=np.int64)
    return by_output[rows[PREDICTION].to_numpy()], gold


def right_labels(rows: pl.DataFrame, about: Answers) -> Int[np.ndarray, " rows"]:
    """1 where the predicted label is the gold label, else 0."""
    predicted, gold = label_numbers(rows, about)
    return (predicted == gold).astype(np.int64)


def output_labels(about: Answers) -> tuple[str, ...]:
    """What the data calls the label of each output, in lower case."""
    merged = {label.casefold(): name.casefold() for label, name in about.merged.items()}
    return tuple(merged.get(label.casefold(), label.casefold()) for label in about.labels)
