"""The stored loss as a metric: it moves with every output, where the answers of most examples stay as they are.

Losses lie on a grid of 2^-20 and are counted as integers, so that a sum does not depend on the order of its parts.
"""

from abc import ABC

import numpy as np
import polars as pl
from jaxtyping import Float, Int, Num

from study.record.metrics.metric import NATS, Metric, Task
from study.record.metrics.numbers import PER_UNIT, on_grid

LOSS = "loss"
"""Column of an outcome row: the loss of the example."""

LARGEST_LOSS = 2.0**32
"""Size of a loss from which on it is refused: the sums of 2,048 larger ones would not fit into 64 bits."""


class LossMetric(Metric, ABC):
    """The mean of the stored loss over examples, negated: higher is better."""

    reads = (LOSS,)
    example_columns = ()
    needs_values = True
    is_repeated = False
    statistics = ("negative_loss", "losses")
    is_mean = True

    @property
    def signature(self) -> str:
        """The name, the unit and the grid."""
        return f"{self.name}|{self.unit}|grid:2^-20"

    def count(self, rows: pl.DataFrame) -> Int[np.ndarray, "rows 2"]:
        """The loss in units of the grid, negated, and 1."""
        loss = on_grid(rows[LOSS], LARGEST_LOSS)
        return np.stack([-loss, np.ones_like(loss)], axis=-1)

    def score(self, sums: Num[np.ndarray, "... 2"]) -> Float[np.ndarray, "..."]:
        """Their mean; NaN of no example."""
        with np.errstate(invalid="ignore"):
            return np.asarray(sums[..., 0] / sums[..., 1] / PER_UNIT)


class LogLikelihood(LossMetric):
    """Mean log-likelihood of the right label or choice: the cross entropy negated, nats.

    Margin: .01 nats multiply the probability of the right answer by .99. Of an answer that has one half that is half a
    point, the margin of accuracy.
    """

    name = LOSS
    label = "log-likelihood"
    tasks = (Task.CLASSIFICATION, Task.CHOICE)
    unit = NATS
    score_unit = NATS
    axis = "log-likelihood (nats)"
    margin = 0.01
    within = 0.02
    digits = 4
    method = "The log-likelihood of the right answer, the stored loss negated, is a mean over examples in nats"


class SquaredError(LossMetric):
    """Mean squared error of a regression, negated, in the squared unit of its targets.

    Margin: .01, by agreement: a tenth of a unit of the targets, squared.
    """

    name = "squared_error"
    label = "squared error, negated"
    tasks = (Task.REGRESSION,)
    unit = "squared units"
    score_unit = "squared units"
    axis = "−squared error"
    margin = 0.01
    within = 0.02
    digits = 4
    method = "The squared error of the outputs, negated, is a mean over examples"


def loss_metric(task: Task) -> type[LossMetric]:
    """What the stored loss of a task is: the squared error of a regression, else the log-likelihood."""
    return SquaredError if task is Task.REGRESSION else LogLikelihood
