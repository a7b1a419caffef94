"""No score: texts that are only read, such as the sentences of a treebank, have no answer that could be right."""

import numpy as np
import polars as pl
from jaxtyping import Float, Int, Num

from study.record.errors import InputError
from study.record.metrics.metric import Metric, Task


class NoScore(Metric):
    """What stands in a setting where nothing is scored; it counts nothing, and no outcome row is stored."""

    name = "unscored"
    label = "no score"
    tasks = (Task.READING,)
    unit = score_unit = axis = ""
    margin = 0.0
    reads = ()
    example_columns = ()
    statistics = ()

    @property
    def signature(self) -> str:
        """Nothing determines it."""
        return "unscored"

    def count(self, rows: pl.DataFrame) -> Int[np.ndarray, "rows 0"]:
        """No statistics."""
        return np.zeros((rows.height, 0), dtype=np.int64)

    def score(self, sums: Num[np.ndarray, "... 0"]) -> Float[np.ndarray, "..."]:  # noqa: ARG002
        """Refuse to score.

        Raises:
            InputError: always.
        """
        raise InputError("texts that are only read have no score")
