"""The scale on which a job of sets tells its values, and what is stored on it, summed over groups of examples."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Int

from study.record.errors import InputError
from study.record.loss import drafted_losses
from study.record.metrics import Metric
from study.record.metrics.loss import loss_metric
from study.record.reading.mask_sums import is_summable, sums_of_rows

if TYPE_CHECKING:
    from study.engine.evaluator import Evaluator


def headline(metric: Metric, columns: Sequence[str], precision: str) -> Metric:
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


def first_scale(evaluator: "Evaluator") -> Metric:
    """The scale of the values of a job; see `headline`.

    Raises:
        InputError: where this is no mean over examples, or these are of one group.
    """
    found = headline(evaluator.metric, evaluator.store.columns, evaluator.setting.precision)
    if len(set(evaluator.whole.groups)) < 2:
        raise InputError("measure.width takes examples of two groups or more: those of one have no interval")
    return found


def group_sums(
    evaluator: "Evaluator", keys: Sequence[str]
) -> tuple[Metric, Int[np.ndarray, "masks groups statistics"], Int[np.ndarray, " keys"]]:
    """The first scale, the sums of its statistics over groups of examples, and the place of masks among these.

    Args:
        evaluator: has the outcomes.
        keys: masks, by key, all of whose outcomes are stored; some may come several times.

    Raises:
        InputError: see `first_scale`; for outcomes that it cannot count, with the mask.
    """
    metric, whole = first_scale(evaluator), evaluator.whole
    if is_summable(metric, whole.to_frame()):
        found = evaluator.sums(metric, whole.ids, whole.groups)
        found.require(keys)
        number, sums = found.number, found.known()
    else:
        number, sums = sums_of_rows(evaluator.stored().outcomes, whole, metric)
    used, at = np.unique([number[key] for key in keys], return_inverse=True)
    return metric, sums if len(used) == len(sums) else sums[used], at
