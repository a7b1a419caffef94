"""The scales on which a set of heads can be missed: the score, the log-likelihood, and the margin of the answers."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace

import numpy as np
import polars as pl
from jaxtyping import Float, Int, Num

from analysis.results.domain import Domain
from analysis.results.rescoring import rescored
from analysis.results.sample import Sample
from study.record.errors import InputError
from study.record.metrics import Accuracy, Task
from study.record.metrics.labels import PREDICTION
from study.record.metrics.loss import LOSS, loss_metric
from study.record.metrics.numbers import PER_UNIT, on_grid
from study.record.scores import with_statistics

SCORE, MARGIN = "score", "margin"
"""The data's own metric; how far the right answer is ahead of the next one. Between them stands `LOSS`."""


class SignedMargin(Accuracy):
    """Mean margin of the answers, in logits: above 0 where they are right, below 0 where they are wrong.

    Of a wrong answer it is minus the distance of the two labels ahead, which is at most that of the right label.
    """

    name = "signed_margin"
    label = "margin"
    unit = "logits"
    score_unit = "logits"
    axis = "margin (logits)"
    digits = 3
    reads = (PREDICTION, "margin")
    statistics = ("signed_margin", "margins")
    is_repeated = False
    is_stored = False
    is_share = False

    def count(self, rows: pl.DataFrame) -> Int[np.ndarray, "rows 2"]:
        """The margin in units of the grid, with its sign, and 1."""
        right = super().count(rows)[:, 0]
        size = on_grid(rows["margin"])
        return np.stack([np.where(right > 0, size, -size), np.ones_like(size)], axis=-1)

    def score(self, sums: Num[np.ndarray, "... 2"]) -> Float[np.ndarray, "..."]:
        """Their mean; NaN of no example."""
        with np.errstate(invalid="ignore"):
            return np.asarray(sums[..., 0] / sums[..., 1] / PER_UNIT)


def scales(domain: Domain) -> dict[str, Domain]:
    """A domain on each scale that its outcomes have, by name; higher is better on all of them.

    The score is that of its metric. The loss is negated. Where the metric is one of them, it is not there twice.
    """
    found = {SCORE: domain}
    by = loss_metric(domain.metric.task)
    if not isinstance(domain.metric, by):
        with suppress(InputError):
            found[LOSS] = rescored(domain, by.name)
    margin = _by_margin(domain)
    return found if margin is None else found | {MARGIN: margin}


def scale_samples(domain: Domain, masks: Sequence[str], groups: str) -> dict[str, tuple[Domain, Sample]]:
    """The outcomes of some masks on each scale, by name; but on that of the margin, where one of these is infinite."""
    found = {}
    for scale, own in scales(domain).items():
        try:
            found[scale] = own, own.sample_of(masks, groups)
        except InputError:
            if scale != MARGIN:
                raise
    return found


def tested_scale(known: dict[str, Domain]) -> str:
    """The scale that tests are of: the loss, which moves with every output, where it is stored."""
    return LOSS if LOSS in known else SCORE


def _by_margin(domain: Domain) -> Domain | None:
    if domain.metric.task is not Task.CLASSIFICATION or not {PREDICTION, "margin"} <= set(domain.rows.columns):
        return None
    by = SignedMargin(domain.metric.answers)
    with suppress(InputError):  # a margin may be infinite
        return replace(domain, metric=by, rows=with_statistics(domain.rows, domain.examples, by))
    return None
