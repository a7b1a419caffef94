"""Accuracy: the share of examples whose predicted label is the gold label."""

import numpy as np
from jaxtyping import Float, Num

from study.record.metrics.metric import Metric, MetricName


class Accuracy(Metric):
    """Share of examples whose predicted label is the gold label, in percent."""

    name = MetricName.ACCURACY
    unit = "% points"
    score_unit = "%"
    statistics = ("correct", "count")
    is_mean = True

    @property
    def signature(self) -> str:
        """Nothing but the name and the unit determines it."""
        return "accuracy|percent"

    def score(self, sums: Num[np.ndarray, "... 2"]) -> Float[np.ndarray, "..."]:
        """100 x correct / count; NaN of no example."""
        with np.errstate(invalid="ignore"):
            return np.asarray(100.0 * sums[..., 0] / sums[..., 1])
