"""Metrics of numbers: how the output of a regression goes together with what it should be.

Outputs and targets lie on a grid of 2^-20 and are stored as integers, so that a sum does not depend on the order of its
parts, and equal outputs are seen to be equal. Rounding moves an output by less than 5e-7.

Shapes: `rows` = examples.
"""

import math
from abc import ABC
from collections.abc import Iterable
from typing import Any

import numpy as np
import polars as pl
from jaxtyping import Float, Int

from study.record.errors import InputError
from study.record.metrics.metric import Metric, Task

OUTPUT = "output"
"""Column of an outcome row: the output of a regression, in units of 1 / `PER_UNIT`."""

PER_UNIT = 2**20
LARGEST = 2.0**11
"""Size of a number from which on it is refused: its square would not fit beside those of other examples."""


def on_grid(values: Any, largest: float = LARGEST) -> Int[np.ndarray, "*any"]:
    """Numbers in units of 2^-20, rounded to the nearest.

    Raises:
        InputError: for what is no number, or too large.
    """
    values = np.asarray(values, dtype=np.float64)
    wrong = values[~(np.abs(values) < largest)]
    if wrong.size:
        raise InputError(f"{wrong.size} numbers are not between -{largest:g} and {largest:g}, such as {wrong[0]:g}")
    return np.rint(values * PER_UNIT).astype(np.int64)


def numbers(targets: Iterable[str]) -> Float[np.ndarray, " rows"]:
    """Targets as numbers.

    Raises:
        InputError: names the first that is none.
    """
    found = []
    for target in targets:
        try:
            found.append(float(target))
        except ValueError:
            found.append(math.nan)
        if not abs(found[-1]) < LARGEST:
            raise InputError(
                f"'{target}' is no number of which a regression could be judged: its data needs numbers between "
                f"-{LARGEST:g} and {LARGEST:g}; labels are for data of classification"
            )
    return np.array(found)


class NumberMetric(Metric, ABC):
    """A score of outputs against the numbers that they should be."""

    tasks = (Task.REGRESSION,)
    reads = (OUTPUT,)

    @property
    def signature(self) -> str:
        """The name, the unit and the grid."""
        return f"{self.name}|percent|grid:2^-20"

    def _pairs(self, rows: pl.DataFrame) -> tuple[np.ndarray, np.ndarray]:
        """Outputs and targets, both on the grid."""
        return rows[OUTPUT].to_numpy().astype(np.int64), on_grid(numbers(rows["target"]))
