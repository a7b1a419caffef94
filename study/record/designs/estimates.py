"""What samples of coalitions say of each unit: linear maps from the scores of coalitions to values of units.

A Shapley value is what a score rises by when a unit joins those before it, on average over all orders. It is estimated
as by KernelSHAP (Lundberg and Lee 2017): an additive score is fitted to coalitions, exact at the empty and full sets.
Sizes are drawn with the kernel's weight, so that all draws count alike. A coalition S is drawn with its complement, and
of the two only half the difference matters,

    u = (v(S) - v(not S)) / 2 = sum over units of x value + error,   x = 1/2 where the unit is in S, else -1/2,

so that interactions of two units, or of any even number, are no error. The values add up to v(all) - v(none). All is
linear in v: one matrix takes scores to values, those of a resample, or what a group of examples adds to a mean.

Shapes: `coalitions` = masks of a design; `draws` = pairs of complements, or single coalitions, iid; `units` = players;
`values` = numbers that are estimated, one for each unit, or for each two.
"""

from collections.abc import Callable
from dataclasses import dataclass
from math import comb

import numpy as np
from jaxtyping import Bool, Float

from study.record.designs.coalitions import ALL, ENDS
from study.record.errors import InputError

Sets = Bool[np.ndarray, "coalitions units"]
Matrix = Float[np.ndarray, "values coalitions"]
Scores = Float[np.ndarray, "coalitions *each"]
Observed = Float[np.ndarray, "draws *each"]

SINGULAR = 1e-9
"""Eigenvalues of a design that are smaller, as shares of the largest, are 0; so is what a leverage is short of 1."""


@dataclass(frozen=True, eq=False)
class LinearEstimate:
    """Values as a linear map of the scores of coalitions, with what the map is without each draw.

    Attributes:
        matrix: the map.
        observe: gives what is fitted, a number for each draw, from the scores; no draw of an exact estimate.
        design: how the values make up the fit to each draw.
        constant: what the fit has besides, alike for all draws, as a map of the scores.
        pull: how much each draw's own number moves each value.
        leverage: how much of its own fit each draw is, 0 to 1.
    """

    matrix: Matrix
    observe: Callable[[Scores], Observed]
    design: Float[np.ndarray, "draws values"]
    constant: Float[np.ndarray, " coalitions"]
    pull: Float[np.ndarray, "values draws"]
    leverage: Float[np.ndarray, " draws"]

    @property
    def is_exact(self) -> bool:
        """Whether all sets are known, so that no error comes of a draw."""
        return not len(self.leverage)

    @property
    def spare(self) -> int:
        """Draws beyond the values that are fitted to them."""
        return len(self.leverage) - len(self.matrix)

    def missed(self, scores: Scores) -> Observed:
        """How far each draw is from the fit to all others."""
        fit = self.design @ (self.matrix @ scores) + self.constant @ scores
        left = 1 - self.leverage
        return (self.observe(scores) - fit) / left.reshape(-1, *[1] * (scores.ndim - 1))

    def without_each(self, scores: Float[np.ndarray, " coalitions"]) -> Float[np.ndarray, "draws values"]:
        """The values without each draw, exactly (Sherman and Morrison 1950)."""
        return self.matrix @ scores - (self.pull * self.missed(scores)).T


def shapley_matrix(on: Sets, sampling: str) -> LinearEstimate:
    """Shapley values from a sample of the kernel, or from all sets.

    Raises:
        InputError: when there are too few coalitions.
    """
    return all_sets_matrix(on) if sampling == ALL else kernel_matrix(on)


def all_sets_matrix(on: Sets, kept: float | None = None) -> LinearEstimate:
    """Shapley values from all sets: a set S of the others has the weight |S|! (n - |S| - 1)! / n! (Shapley 1953).

    Args:
        on: every set, once.
        kept: for the semivalue of `semivalue_matrix`, the probability with which each other unit stays on; None: for
            Shapley values.

    Raises:
        InputError: when some set is missing.
    """
    units = on.shape[1]
    if len(on) != 2**units or len(np.unique(on, axis=0)) < 2**units:
        raise InputError(f"{len(on):,} of the {2**units:,} sets of {units} units are there: all are needed")
    others, size = np.arange(units), on.sum(axis=1)
    if kept is None:
        weight = np.array([1 / (units * comb(units - 1, k)) for k in others])
    else:
        weight = kept**others * (1 - kept) ** (units - 1 - others)
    with_it = weight[np.maximum(size - 1, 0)][:, None] * on
    without = weight[np.minimum(size, units - 1)][:, None] * ~on
    return _exact((with_it - without).T)


def kernel_matrix(on: Sets) -> LinearEstimate:
    """Shapley values from a sample of the kernel: the full set, the empty one, then pairs of complements.

    Raises:
        InputError: when there are too few coalitions to tell the units apart; says how many may do.
    """
    units, count = on.shape[1], len(on)
    across = on[ENDS::2] - 0.5
    whole = np.zeros(count)
    whole[:ENDS] = 1, -1  # of v(all) - v(none)
    basis = _summing_to_nothing(units)
    seen = across @ basis
    fault = f"{count:,} coalitions do not tell {units} units apart: take {8 * units:,} or more"
    solve = _inverse(seen, fault)
    pull = basis @ solve @ seen.T
    share = np.full(units, 1 / units)
    matrix = np.outer(share - pull @ (across @ share), whole)
    matrix[:, ENDS:] += np.repeat(pull / 2, 2, axis=1) * np.tile([1, -1], len(across))
    return LinearEstimate(matrix, _half_differences, across, np.zeros(count), pull, _leverage(seen, solve, fault))


def semivalue_matrix(on: Sets) -> LinearEstimate:
    """What each unit adds on average where every other stays on by itself with one probability, as each of these did.

    The slopes of a plane through the scores, by least squares: as units are drawn independently, each is the mean
    difference that its unit makes, a semivalue (Dubey, Neyman and Weber 1981).

    Raises:
        InputError: when there are too few masks; says how many may do.
    """
    count, units = on.shape
    often = on.mean(axis=0)
    seen = on - often
    fault = f"{count:,} masks do not tell {units} units apart: take {2 * units:,} or more"
    solve = _inverse(seen, fault)
    pull, mean = solve @ seen.T, np.full(count, 1 / count)
    leverage = _leverage(seen, solve, fault, of_mean=1 / count)
    return LinearEstimate(pull, _themselves, seen, mean, pull, leverage)


def pair_matrix(on: Sets, sampled: bool) -> LinearEstimate:
    """Shapley interactions of every two units: by definition from all sets, else by `fitted_pair_matrix`.

    Args:
        on: the full set, the empty one, then pairs of complements.
        sampled: whether sizes were drawn by the kernel; else these are all sets.

    Raises:
        InputError: when there are too few coalitions; says how many may do.
    """
    return fitted_pair_matrix(on) if sampled else all_pairs_matrix(on)


def all_pairs_matrix(on: Sets) -> LinearEstimate:
    """Shapley interactions from all sets.

    What two units add beyond what each adds to a set S of the others has the weight |S|! (n - |S| - 2)! / (n - 1)!
    (Grabisch and Roubens 1999).
    """
    units = on.shape[1]
    first, second = on[:, np.triu_indices(units, 1)[0]], on[:, np.triu_indices(units, 1)[1]]
    weight = np.array([1 / ((units - 1) * comb(units - 2, k)) for k in range(units - 1)])
    others = on.sum(axis=1)[:, None] - first - second
    return _exact((weight[others] * np.where(first == second, 1, -1)).T)


def fitted_pair_matrix(on: Sets) -> LinearEstimate:
    """Interactions of every two units as the second order of a score fitted to a sample (2-additive).

    A score that is symmetric in S and its complement is, of second order, a constant and for each two units their
    interaction times 1/6 where both are on or off, else times -1/3 (Grabisch 1997; Pelegrina, Duarte and Grabisch
    2023). It is fitted to (v(S) + v(not S)) / 2, exact at (v(all) + v(none)) / 2. The first order is that of
    `kernel_matrix`. Where more than two units interact, this fit is near Shapley interactions, and not equal to them.

    Raises:
        InputError: when there are too few coalitions; says how many may do.
    """
    units, count = on.shape[1], len(on)
    first, second = np.triu_indices(units, 1)
    together = on[ENDS::2, first] == on[ENDS::2, second]
    seen = np.where(together, 0.0, -0.5)  # less what it is at the ends, where the fit is exact
    enough = ENDS + 4 * (len(first) + 1)
    fault = f"{count:,} coalitions do not tell {len(first):,} pairs apart: take {enough:,} or more"
    solve = _inverse(seen, fault)
    ends = np.zeros(count)
    ends[:ENDS] = 0.5
    pull = solve @ seen.T
    matrix = -np.outer(pull.sum(axis=1), ends)
    matrix[:, ENDS:] += np.repeat(pull / 2, 2, axis=1)
    return LinearEstimate(matrix, _half_sums, seen, ends, pull, _leverage(seen, solve, fault))


def _exact(matrix: Matrix) -> LinearEstimate:
    values, count = matrix.shape
    no_draws = np.empty((0, values))
    return LinearEstimate(matrix, _nothing, no_draws, np.zeros(count), no_draws.T, np.empty(0))


def _half_differences(scores: Scores) -> Observed:
    return (scores[ENDS::2] - scores[ENDS + 1 :: 2]) / 2


def _half_sums(scores: Scores) -> Observed:
    return (scores[ENDS::2] + scores[ENDS + 1 :: 2]) / 2


def _themselves(scores: Scores) -> Observed:
    return scores


def _nothing(scores: Scores) -> Observed:
    return scores[:0]


def _summing_to_nothing(units: int) -> Float[np.ndarray, "units less_one"]:
    """An orthonormal basis of all values that add up to 0."""
    return np.linalg.qr(np.column_stack([np.ones(units), np.eye(units)[:, 1:]]))[0][:, 1:]


def _inverse(seen: Float[np.ndarray, "draws values"], fault: str) -> Float[np.ndarray, "values values"]:
    """The inverse of a design's cross products.

    Raises:
        InputError: with `fault`, when it has none, or hardly.
    """
    product = seen.T @ seen
    sizes = np.linalg.eigvalsh(product)
    if len(seen) <= seen.shape[1] or sizes[0] <= SINGULAR * sizes[-1]:
        raise InputError(fault)
    return np.linalg.inv(product)


def _leverage(
    seen: Float[np.ndarray, "draws values"],
    solve: Float[np.ndarray, "values values"],
    fault: str,
    of_mean: float = 0.0,
) -> Float[np.ndarray, " draws"]:
    """How much of its own fit each draw is.

    Raises:
        InputError: with `fault`, when one draw alone decides something, so that nothing says how sure it is.
    """
    found = of_mean + np.einsum("kw,kw->k", seen @ solve, seen)
    if found.max() > 1 - SINGULAR:
        raise InputError(fault)
    return found
