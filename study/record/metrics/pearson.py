"""Pearson correlation of outputs and targets, from six sums."""

import numpy as np
import polars as pl
from jaxtyping import Bool, Float, Int, Num

from study.record.metrics.numbers import PER_UNIT, NumberMetric


class Pearson(NumberMetric):
    """Pearson's (1895) r times 100.

    0/0, outputs or targets that are all the same, is 0: such outputs tell nothing of the targets. Margin: that of
    accuracy, half a point, by agreement; no published spread over seeds was found.
    """

    name = "pearson"
    label = "Pearson correlation"
    score_unit = "Pearson"
    axis = "Pearson’s r (× 100)"
    margin = 0.5
    method = "Pearson’s r [pearson1895notes], times 100, is that of the stored outputs with the targets"
    statistics = ("count", "output_sum", "gold_sum", "output_square", "gold_square", "product")

    def count(self, rows: pl.DataFrame) -> Int[np.ndarray, "rows 6"]:
        """1, both numbers, both squares and the product, in units of the grid."""
        x, y = self._pairs(rows)
        return np.stack([np.ones_like(x), x, y, x * x, y * y, x * y], axis=-1)

    def score(self, sums: Num[np.ndarray, "... 6"]) -> Float[np.ndarray, "..."]:
        """100 x covariance / root of both variances."""
        x, y, both = _moments(sums)
        with np.errstate(divide="ignore", invalid="ignore"):
            r = np.where((x > 0) & (y > 0), both / (np.sqrt(x) * np.sqrt(y)), 0.0)
        return np.asarray(100.0 * np.clip(r, -1.0, 1.0))

    def undefined(self, sums: Num[np.ndarray, "... 6"]) -> Bool[np.ndarray, "..."]:
        """See `Metric.undefined`."""
        x, y, _ = _moments(sums)
        return np.asarray(~((x > 0) & (y > 0)))

    def score_alone(self, statistics: Int[np.ndarray, "rows 6"]) -> Float[np.ndarray, " rows"]:
        """The distance of output and target, negative, in their unit."""
        return -np.abs(statistics[:, 1] - statistics[:, 2]) / PER_UNIT


def _moments(
    sums: Num[np.ndarray, "... 6"],
) -> tuple[Float[np.ndarray, "..."], Float[np.ndarray, "..."], Float[np.ndarray, "..."]]:
    """Sums of squared deviations of outputs and of targets, and of their products.

    Integers are moved to near their mean first, exactly: products that do not fit wrap around, and what they add up to
    does fit. So nothing cancels, and the deviation of a constant is 0.
    """
    sums = np.asarray(sums)
    n, x, y, xx, yy, xy = np.moveaxis(sums, -1, 0)
    if np.issubdtype(sums.dtype, np.integer):
        with np.errstate(over="ignore"):
            some = np.maximum(n, 1)
            a, b = x // some, y // some
            xx, yy, xy = xx - 2 * a * x + n * a * a, yy - 2 * b * y + n * b * b, xy - a * y - b * x + n * a * b
            x, y = x - n * a, y - n * b
    with np.errstate(divide="ignore", invalid="ignore"):
        return tuple(
            np.asarray(square - one / n * other, dtype=np.float64)
            for square, one, other in ((xx, x, x), (yy, y, y), (xy, x, y))
        )  # type: ignore[return-value]
