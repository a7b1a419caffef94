"""Values of units from a sample of coalitions, with the errors of both things that are drawn: coalitions and examples.

Each has its error: by a jackknife over draws of coalitions at the examples that there are, and over groups of examples
at the coalitions that there are. Both hold what comes of their crossing (a coalition has other examples right than the
next), which is taken off once:

    variance = by coalitions + by examples - by both.

All is linear in the scores of coalitions, so that groups of examples are taken some at a time, and what each changes of
a score is never there for all groups and coalitions together.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from study.record.designs.estimates import LinearEstimate
from study.record.designs.jackknife import standard_error
from study.record.metrics import Metric

BYTES_AT_ONCE = 2**26
"""That the scores without some groups may take."""

Left = Float[np.ndarray, "_ coalitions"]
"""The score of each coalition on all examples but those of one group, for some groups."""


@dataclass(frozen=True, eq=False)
class Values:
    """Values of a linear estimate, with both errors.

    Attributes:
        values: the estimates.
        by_coalitions: standard error by the coalitions that were drawn; 0 of an exact estimate.
        by_examples: standard error by the examples that were drawn.
        by_both: what both of these hold, as a standard error: it falls with the coalitions, as the first does.
        error: both together.
        degrees: degrees of freedom of the interval.
    """

    values: Float[np.ndarray, " values"]
    by_coalitions: Float[np.ndarray, " values"]
    by_examples: Float[np.ndarray, " values"]
    by_both: Float[np.ndarray, " values"]
    error: Float[np.ndarray, " values"]
    degrees: int

    @classmethod
    def of(
        cls,
        estimate: LinearEstimate,
        scores: Float[np.ndarray, " coalitions"],
        without_groups: Iterable[Left],
        by_examples: Float[np.ndarray, " values"] | None = None,
    ) -> "Values":
        """The values of a sample.

        Args:
            estimate: the map from scores to values.
            scores: the score of each coalition.
            without_groups: the scores without each group of examples, see `without_groups`.
            by_examples: the standard error by examples, where the score is no mean; else it is the jackknife's.
        """
        through, squares, total = [], 0.0, 0.0
        for left in without_groups:
            moved = left - scores  # small, so that squares and their mean lose no digits
            through.append(moved @ estimate.matrix.T)
            if not estimate.is_exact:
                missed = estimate.missed(moved.T)
                squares, total = squares + np.square(missed).sum(axis=1), total + missed.sum(axis=1)
        moved = np.concatenate(through)
        groups = len(moved)
        examples = standard_error(moved) if by_examples is None else by_examples
        if estimate.is_exact:
            nothing = np.zeros(len(examples))
            return cls(estimate.matrix @ scores, nothing, examples, nothing, examples, groups - 1)
        by_coalitions = standard_error(estimate.without_each(scores))
        both = (groups - 1) / groups * np.maximum(squares - np.square(total) / groups, 0.0)
        by_both = np.square(estimate.pull) @ both
        largest = np.maximum(np.square(by_coalitions), np.square(examples))
        variance = np.square(by_coalitions) + np.square(examples) - by_both
        error = np.sqrt(np.maximum(variance, largest))
        degrees = min(groups - 1, estimate.spare)
        return cls(estimate.matrix @ scores, by_coalitions, examples, np.sqrt(by_both), error, degrees)

    def half_width(self, alpha: float) -> Float[np.ndarray, " values"]:
        """Half the width of each interval at 1 - alpha, by Student's t."""
        return student(alpha, self.degrees) * self.error

    def interval(self, alpha: float) -> tuple[Float[np.ndarray, " values"], Float[np.ndarray, " values"]]:
        """Low and high ends, by Student's t."""
        half = self.half_width(alpha)
        return self.values - half, self.values + half

    def columns(self, alpha: float) -> dict[str, np.ndarray]:
        """Errors and interval as columns of a table."""
        low, high = self.interval(alpha)
        errors = {"error_coalitions": self.by_coalitions, "error_examples": self.by_examples}
        return {**errors, "standard_error": self.error, "low": low, "high": high}


def student(alpha: float, degrees: int) -> float:
    """The two-sided quantile of Student's t at 1 - alpha, with one degree of freedom at least."""
    from scipy import special  # takes a while, which those that only ask for options should not wait for

    return float(special.stdtrit(max(1, degrees), 1 - alpha / 2))


def without_groups(
    metric: Metric, sums: Int[np.ndarray, "masks groups statistics"], at: Int[np.ndarray, " coalitions"]
) -> Iterator[Left]:
    """The scores of coalitions without each group of examples, some groups at a time.

    Args:
        metric: what they are scored with.
        sums: its statistics of each mask, summed over the examples of each group.
        at: the mask of each coalition, by number.
    """
    masks, groups, statistics = sums.shape
    totals, step = sums.sum(axis=1, dtype=np.int64), max(1, BYTES_AT_ONCE // (8 * max(1, masks * statistics)))
    for start in range(0, groups, step):
        left = totals[:, None] - sums[:, start : start + step]
        yield metric.score(left.swapaxes(0, 1))[:, at]
