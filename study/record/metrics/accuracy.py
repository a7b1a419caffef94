"""Accuracy: the share of examples whose predicted label is the gold label."""

import numpy as np
import polars as pl
from jaxtyping import Float, Int, Num

from study.record.metrics.labels import PREDICTION, right_labels
from study.record.metrics.metric import Metric, Task


class Accuracy(Metric):
    """Share of examples whose predicted label is the gold label, in percent.

    Margin: fine-tuned with 100 seeds BERT was right on 83.6 to 84.8 % of MNLI (McCoy, Min and Linzen 2020): half a
    point up or down is what a model owes to chance.
    """

    name = "accuracy"
    label = "accuracy"
    tasks = (Task.CLASSIFICATION,)
    score_unit = "%"
    axis = "accuracy (%)"
    margin = 0.5
    reads = (PREDICTION,)
    statistics = ("correct", "count")
    is_stored = True
    is_mean = True
    is_share = True

    @property
    def signature(self) -> str:
        """Nothing but the name and the unit determines it."""
        return "accuracy|percent"

    def count(self, rows: pl.DataFrame) -> Int[np.ndarray, "rows 2"]:
        """1 where the predicted label is the gold label, and 1."""
        right = right_labels(rows, self.answers)
        return np.stack([right, np.ones_like(right)], axis=-1)

    def score(self, sums: Num[np.ndarray, "... 2"]) -> Float[np.ndarray, "..."]:
        """100 x correct / count; NaN of no example."""
        with np.errstate(invalid="ignore"):
            return np.asarray(100.0 * sums[..., 0] / sums[..., 1])
