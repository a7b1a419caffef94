"""Spearman correlation of outputs and targets: Pearson's of their ranks, which every resample has anew.

Shapes: `masks`, `examples`, `resamples`; `values` = distinct values, in order.
"""

import numpy as np
import polars as pl
from jaxtyping import Bool, Float, Int, Num

from study.record.metrics.numbers import PER_UNIT, NumberMetric


class Spearman(NumberMetric):
    """Spearman's (1904) rho times 100; equal numbers share the middle of their ranks.

    No sums give it: it is computed from the rows of each resample. 0/0 is 0, and the margin is that of `Pearson`.
    """

    name = "spearman"
    label = "Spearman correlation"
    score_unit = "Spearman"
    axis = "Spearman’s ρ (× 100)"
    margin = 0.5
    method = "Spearman’s ρ [spearman1904proof], times 100, is that of the stored outputs with the targets"
    statistics = ("output_value", "gold_value")
    is_additive = False

    def count(self, rows: pl.DataFrame) -> Int[np.ndarray, "rows 2"]:
        """Both numbers, in units of the grid."""
        return np.stack(self._pairs(rows), axis=-1)

    def score(self, sums: Num[np.ndarray, "... 2"]) -> Float[np.ndarray, "..."]:  # noqa: ARG002
        """There is none of sums."""
        raise TypeError("Spearman's rho is no function of sums: score_rows")

    def score_rows(
        self, rows: Int[np.ndarray, "masks examples 2"], weights: Int[np.ndarray, "resamples examples"]
    ) -> Float[np.ndarray, "resamples masks"]:
        """See `Metric.score_rows`."""
        return self._scored(rows, weights)[0]

    def undefined_rows(
        self, rows: Int[np.ndarray, "masks examples 2"], weights: Int[np.ndarray, "resamples examples"]
    ) -> Bool[np.ndarray, "resamples masks"]:
        """See `Metric.undefined_rows`."""
        return self._scored(rows, weights)[1]

    def score_alone(self, statistics: Int[np.ndarray, "rows 2"]) -> Float[np.ndarray, " rows"]:
        """The distance of output and target, negative, in their unit."""
        return -np.abs(statistics[:, 0] - statistics[:, 1]) / PER_UNIT

    def _scored(
        self, rows: Int[np.ndarray, "masks examples 2"], weights: Int[np.ndarray, "resamples examples"]
    ) -> tuple[Float[np.ndarray, "resamples masks"], Bool[np.ndarray, "resamples masks"]]:
        each = np.ascontiguousarray(weights.T, dtype=np.float64)
        order, begins = _order(rows[0, :, 1])
        gold = _ranks(each[order], begins)
        at = np.repeat(np.arange(len(begins)), np.diff([*begins, len(order)]))
        of_gold = np.empty_like(each)
        of_gold[order] = gold[1][at] * each[order]
        gold_square = (gold[0] * gold[1] ** 2).sum(axis=0)
        score, undefined = np.empty((len(weights), len(rows))), np.empty((len(weights), len(rows)), dtype=bool)
        for mask, values in enumerate(rows[..., 0]):
            order, begins = _order(values)
            often, ranks = _ranks(each[order], begins)
            with_gold = np.add.reduceat(of_gold[order], begins, axis=0)
            square = np.einsum("vr,vr,vr->r", often, ranks, ranks)
            undefined[:, mask] = (square <= 0) | (gold_square <= 0)
            with np.errstate(divide="ignore", invalid="ignore"):
                rho = np.einsum("vr,vr->r", ranks, with_gold) / (np.sqrt(square) * np.sqrt(gold_square))
            score[:, mask] = np.where(undefined[:, mask], 0.0, 100.0 * np.clip(rho, -1.0, 1.0))
        return score, undefined


def _order(values: Int[np.ndarray, " examples"]) -> tuple[Int[np.ndarray, " examples"], Int[np.ndarray, " values"]]:
    """The places of the numbers from the smallest to the largest, and where each distinct one begins."""
    order = np.argsort(values, kind="stable")
    return order, np.flatnonzero(np.diff(values[order], prepend=values[order[0]] - 1))


def _ranks(
    weights: Float[np.ndarray, "examples resamples"], begins: Int[np.ndarray, " values"]
) -> tuple[Float[np.ndarray, "values resamples"], Float[np.ndarray, "values resamples"]]:
    """How often each distinct number is there, and twice its middle rank less the mean: as many below less above."""
    often = np.add.reduceat(weights, begins, axis=0) if len(begins) < len(weights) else weights
    until = often.cumsum(axis=0)
    return often, 2 * until - often - until[-1]
