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
from study.record.loss import drafted_losses
from study.record.metrics import Metric
from study.record.metrics.loss import loss_metric
from study.record.scores import StoredRows, counted, with_statistics


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
    has_losses = metric.task in by.tasks and set(by.reads) <= set(columns) and not drafted_losses(precision)
    found = by(metric.answers) if has_losses else metric
    if not found.is_mean:
        raise InputError(
            f"measure.width goes by a score that is a mean over examples, and {found.label} is none: say how many "
            f"coalitions there should be by measure.coalitions alone"
        )
    return found


class Widths:
    """The widest intervals at the looks at a growing sample; the outcomes of each mask are summed once for all looks.

    Their level is that of one look, and they are the same as the analysis shows.
    """

    def __init__(self, stored: StoredRows, examples: Examples, precision: str) -> None:
        """Nothing is summed yet.

        Args:
            stored: the outcomes.
            examples: those that the outcomes are of.
            precision: that of the setting.

        Raises:
            InputError: where the score is no mean, or there is one group of examples.
        """
        self._metric = headline(stored.metric, tuple(stored.outcomes.columns), precision)
        if len(set(examples.groups)) < 2:
            raise InputError("measure.width takes examples of two groups or more: those of one have no interval")
        self._stored, self._examples = stored, examples
        self._place: dict[str, int] = {}
        self._sums = np.zeros((0, len(set(examples.groups)), len(self._metric.statistics)), dtype=np.int64)

    def of(self, design: Design) -> Width:
        """The widest interval at 95 % of the values of a sample of coalitions, all of whose outcomes are stored.

        Args:
            design: the coalitions of the kernel, with their looks.

        Returns:
            An infinite one where there are too few coalitions for any value.
        """
        metric, keys = self._metric, design.keys(self._stored.layout)
        at = self._places(keys)
        sums = self._sums[: at.max() + 1]
        totals = sums.sum(axis=1)
        added = added_by_groups(metric.score((totals[:, None] - sums).swapaxes(0, 1)))
        try:
            estimate = shapley_matrix(design.on, KERNEL)
        except InputError:  # too few coalitions have told the units apart so far
            return Width(inf, inf, metric)
        values = Values.of(estimate, metric.score(totals)[at], added[:, at])
        alpha = level(design.looks, len(design) - ENDS, ALPHA)
        alone = replace(values, error=values.by_examples)
        return Width(float(values.half_width(alpha).max()), float(alone.half_width(alpha).max()), metric)

    def _places(self, keys: list[str]) -> Int[np.ndarray, " coalitions"]:
        """Where the sums of masks stand; those that are not summed yet are."""
        if new := [key for key in dict.fromkeys(keys) if key not in self._place]:
            more = _group_sums(self._stored, new, self._examples, self._metric)
            self._sums = np.concatenate([self._sums, more])
            self._place |= {key: len(self._place) + number for number, key in enumerate(new)}
        return np.array([self._place[key] for key in keys])


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
