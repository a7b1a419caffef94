"""Values of units from a sample of coalitions, with the errors of both things that are drawn: coalitions and examples.

Each has its error: by a jackknife over draws of coalitions at the examples that there are, and over groups of examples
at the coalitions that there are. Both hold what comes of their crossing (a coalition has other examples right than the
next), which is taken off once:

    variance = by coalitions + by examples - by both.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from study.record.designs.estimates import LinearEstimate


@dataclass(frozen=True, eq=False)
class Values:
    """Values of a linear estimate, with both errors.

    Attributes:
        values: the estimates.
        by_coalitions: standard error by the coalitions that were drawn; 0 of an exact estimate.
        by_examples: standard error by the examples that were drawn.
        error: both together.
        degrees: degrees of freedom of the interval.
    """

    values: Float[np.ndarray, " values"]
    by_coalitions: Float[np.ndarray, " values"]
    by_examples: Float[np.ndarray, " values"]
    error: Float[np.ndarray, " values"]
    degrees: int

    @classmethod
    def of(
        cls,
        estimate: LinearEstimate,
        scores: Float[np.ndarray, " coalitions"],
        added: Float[np.ndarray, "groups coalitions"],
        by_examples: Float[np.ndarray, " values"] | None = None,
    ) -> "Values":
        """The values of a sample.

        Args:
            estimate: the map from scores to values.
            scores: the score of each coalition.
            added: what each group of examples adds to it, see `added_by_groups`.
            by_examples: the standard error by examples, where the score is no mean; else it is that of what groups add.
        """
        groups = len(added)
        through = estimate.matrix @ added.T
        of_a_mean = np.sqrt(np.square(through).sum(axis=1) * groups / (groups - 1))
        examples = of_a_mean if by_examples is None else by_examples
        if estimate.is_exact:
            nothing = np.zeros(len(examples))
            return cls(estimate.matrix @ scores, nothing, examples, examples, groups - 1)
        without = estimate.without_each(scores)
        draws = len(without)
        by_coalitions = np.sqrt((draws - 1) / draws * np.square(without - without.mean(axis=0)).sum(axis=0))
        missed = np.square(estimate.missed(added.T)).sum(axis=1)
        by_both = np.square(estimate.pull) @ missed * groups / (groups - 1)
        largest = np.maximum(np.square(by_coalitions), np.square(examples))
        variance = np.square(by_coalitions) + np.square(examples) - by_both
        error = np.sqrt(np.maximum(variance, largest))
        return cls(estimate.matrix @ scores, by_coalitions, examples, error, min(groups - 1, estimate.spare))

    def half_width(self, alpha: float) -> Float[np.ndarray, " values"]:
        """Half the width of each interval at 1 - alpha, by Student's t."""
        from scipy import special  # takes a while, which those that only ask for options should not wait for

        return special.stdtrit(max(1, self.degrees), 1 - alpha / 2) * self.error

    def interval(self, alpha: float) -> tuple[Float[np.ndarray, " values"], Float[np.ndarray, " values"]]:
        """Low and high ends, by Student's t."""
        half = self.half_width(alpha)
        return self.values - half, self.values + half

    def columns(self, alpha: float) -> dict[str, np.ndarray]:
        """Errors and interval as columns of a table."""
        low, high = self.interval(alpha)
        errors = {"error_coalitions": self.by_coalitions, "error_examples": self.by_examples}
        return {**errors, "standard_error": self.error, "low": low, "high": high}


def added_by_groups(without_each: Float[np.ndarray, "groups masks"]) -> Float[np.ndarray, "groups masks"]:
    """What each group of examples adds to the score of each mask: of a mean exactly, else to first order.

    Args:
        without_each: the score of each mask on all examples but those of one group.
    """
    groups = len(without_each)
    return (groups - 1) / groups * (without_each.mean(axis=0) - without_each)
