"""How wide the intervals of Shapley values are by what a job has stored: whether it may stop at one of its looks.

Their variance has a part that falls as coalitions are added, and a part that only more examples make smaller. So the
first look already tells about how wide they will be in the end, and whether a width is out of reach.
"""

from dataclasses import dataclass
from math import inf
from typing import TYPE_CHECKING

import numpy as np

from study.measures.sets.first_scale import first_scale, group_sums
from study.record.designs import Design
from study.record.designs.coalitions import ENDS
from study.record.designs.estimates import LinearEstimate, kernel_matrix
from study.record.designs.looks import level
from study.record.designs.sample_size import ALPHA
from study.record.designs.values import Values, student, without_groups
from study.record.errors import InputError
from study.record.metrics import Metric

if TYPE_CHECKING:
    from study.engine.evaluator import Evaluator


@dataclass(frozen=True)
class Width:
    """The widest of the intervals, in halves.

    Attributes:
        half: half of it.
        by_examples: about half of the widest that there would be, were all coalitions known.
        at_most: about half of the widest that there will be, once all coalitions are taken that may be.
        metric: the scale of the values: the loss, where outcomes have it, else the score.
    """

    half: float
    by_examples: float
    at_most: float
    metric: Metric

    def shown(self, half: float) -> str:
        """Half of an interval, with its unit: `± 0.0081 nats`."""
        return f"± {half:.2g} {self.metric.unit}"


def sample_values(evaluator: "Evaluator", design: Design, estimate: LinearEstimate) -> Values:
    """The values of a sample of coalitions, all of whose outcomes are stored, with both errors, on the first scale.

    Args:
        evaluator: has the outcomes.
        design: the coalitions.
        estimate: the map from their scores to values.

    Raises:
        InputError: see `first_scale`.
    """
    metric, sums, at = group_sums(evaluator, design.keys(evaluator.layout))
    scores = metric.score(sums.sum(axis=1, dtype=np.int64))[at]
    return Values.of(estimate, scores, without_groups(metric, sums, at))


def widest(evaluator: "Evaluator", design: Design, most: int) -> Width:
    """The widest interval at 95 % of the values of a sample of coalitions; its level is that of one look.

    Args:
        evaluator: has the outcomes of all.
        design: the coalitions of the kernel, with their looks.
        most: how many there will be at most.

    Returns:
        An infinite one where there are too few coalitions for any value.

    Raises:
        InputError: see `first_scale`.
    """
    metric, taken, groups = first_scale(evaluator), len(design) - ENDS, len(set(evaluator.whole.groups))
    try:
        estimate = kernel_matrix(design.on)
    except InputError:  # too few coalitions have told the units apart so far
        return Width(inf, inf, inf, metric)
    values, alpha = sample_values(evaluator, design, estimate), level(design.looks, taken, ALPHA)
    examples = np.maximum(np.square(values.by_examples) - np.square(values.by_both), 0.0)
    coalitions = np.square(values.by_coalitions) * taken / most
    spare = most // 2 - len(design.units)
    return Width(
        half=float(values.half_width(alpha).max()),
        by_examples=float(np.sqrt(examples.max()) * student(alpha, groups - 1)),
        at_most=float(np.sqrt((examples + coalitions).max()) * student(alpha, min(groups - 1, spare))),
        metric=metric,
    )
