"""How wide the intervals of Shapley values are by what a job has stored: whether it may stop at one of its looks."""

from dataclasses import dataclass, replace
from math import inf

import numpy as np
import polars as pl
from jaxtyping import Int

from study.record.designs import Design
from study.record.designs.coalitions import ENDS, KERNEL
from study.record.designs.estimates import shapley_matrix
from study.record.designs.looks import level
from study.record.designs.sample_size import ALPHA
from study.record.designs.values import Values, added_by_groups
from study.record.errors import InputError
from study.record.examples import GROUP, Examples
from study.record.metrics import Metric
from study.record.metrics.loss import loss_metric
from study.record.scores import StoredRows, counted, with_statistics

DRAFTED = ("screened", "cascade")
"""Precisions of which most losses are drafts, and only what was chosen is exact."""


@dataclass(frozen=True)
class Width:
    """The widest of the intervals.

    Attributes:
        half: half of it.
        by_examples: half of the widest that there would be by the error of the examples alone.
        metric: the scale of the values: the loss, where outcomes have it, else the score.
    """

    half: float
    by_examples: float
    metric: Metric

    def shown(self, half: float) -> str:
        """Half of an interval, with its unit: `± 0.0081 nats`."""
        return f"± {half:.2g} {self.metric.unit}"


def headline(metric: Metric, columns: tuple[str, ...], precision: str) -> Metric:
    """The scale of the values that are told first: the loss, where outcomes have it, else the score.

    Args:
        metric: what the outcomes are scored with.
        columns: those of the outcomes.
        precision: that of the setting.

    Raises:
        InputError: where this is no mean over examples.
    """
    by = loss_metric(metric.task)
    has_losses = metric.task in by.tasks and set(by.reads) <= set(columns) and not precision.startswith(DRAFTED)
    found = by(metric.answers) if has_losses else metric
    if not found.is_mean:
        raise InputError(
            f"measure.width goes by a score that is a mean over examples, and {found.label} is none: say how many "
            f"coalitions there should be by measure.coalitions alone"
        )
    return found


def widest(design: Design, stored: StoredRows, examples: Examples, precision: str) -> Width:
    """The widest interval at 95 % of the values of a sample of coalitions, all of whose outcomes are stored.

    Its level is that of one look, and it is the same as the analysis shows.

    Args:
        design: the coalitions of the kernel, with their looks.
        stored: the outcomes.
        examples: those that the outcomes are of.
        precision: that of the setting.

    Returns:
        An infinite one where there are too few coalitions for any value.

    Raises:
        InputError: where the score is no mean, or there is one group of examples.
    """
    metric = headline(stored.metric, tuple(stored.outcomes.columns), precision)
    keys = design.keys(stored.layout)
    masks = list(dict.fromkeys(keys))
    sums = _group_sums(stored, masks, examples, metric)
    if sums.shape[1] < 2:
        raise InputError("measure.width takes examples of two groups or more: those of one have no interval")
    totals, place = sums.sum(axis=1), {mask: number for number, mask in enumerate(masks)}
    at = np.array([place[key] for key in keys])
    added = added_by_groups(metric.score((totals[:, None] - sums).swapaxes(0, 1)))
    try:
        estimate = shapley_matrix(design.on, KERNEL)
    except InputError:  # too few coalitions have told the units apart so far
        return Width(inf, inf, metric)
    values = Values.of(estimate, metric.score(totals)[at], added[:, at])
    alpha = level(design.looks, len(design) - ENDS, ALPHA)
    alone = replace(values, error=values.by_examples)
    return Width(float(values.half_width(alpha).max()), float(alone.half_width(alpha).max()), metric)


def _group_sums(
    stored: StoredRows, masks: list[str], examples: Examples, metric: Metric
) -> Int[np.ndarray, "masks groups statistics"]:
    """The metric's statistics of each mask, as they count, summed over the examples of each group."""
    known = examples.to_frame()
    names = dict.fromkeys(examples.groups)
    place = {name: number for number, name in enumerate(names)}
    own = pl.DataFrame({"example": examples.ids, GROUP: [place[name] for name in examples.groups]})
    number = pl.DataFrame({"mask": masks, "number": range(len(masks))})
    rows = stored.outcomes.drop(GROUP, strict=False).join(number, on="mask").join(own, on="example")
    rows = with_statistics(rows, known, metric)
    summed = rows.select("number", GROUP, *counted(rows, metric)).group_by("number", GROUP).sum()
    sums = np.zeros((len(masks), len(names), len(metric.statistics)), dtype=np.int64)
    sums[summed["number"].to_numpy(), summed[GROUP].to_numpy()] = summed.select(metric.statistics).to_numpy()
    return sums
