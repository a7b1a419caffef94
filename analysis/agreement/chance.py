"""Chance: what agreement would be if every rater kept as many heads as it does, but any of them.

Sizes are fixed, so that the mean is not 0 where raters keep different numbers of heads. *Within layers* each rater
keeps as many heads of each layer as it does: what is left is agreement on heads beyond agreement on layers.
"""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool, Float
from scipy import stats

from analysis.agreement.coefficients import COEFFICIENTS, Coefficient
from analysis.agreement.kept_sets import KeptSets

AT_ONCE = 500
"""Draws that are held in memory together."""


def kept_in_all(sets: KeptSets, *, within_layers: bool) -> Float[np.ndarray, " counts"]:
    """The exact chance that 0, 1, 2 ... heads are kept by every rater."""
    total = np.ones(1)
    for kept in sets.strata(within_layers=within_layers):
        total = np.convolve(total, _common(kept.shape[1], kept.sum(axis=1).tolist()))
    return total


def _common(heads: int, sizes: Sequence[int]) -> Float[np.ndarray, " counts"]:
    """The chance that random sets of these sizes have 0, 1, ... heads in common, one set after the other."""
    numbers = np.arange(heads + 1)
    chance = (numbers == sizes[0]).astype(float)
    for size in sizes[1:]:
        chance = chance @ stats.hypergeom.pmf(numbers[None, :], heads, numbers[:, None], size)
    return chance


def draws(
    sets: KeptSets, rng: np.random.Generator, count: int, *, within_layers: bool
) -> tuple[dict[Coefficient, Float[np.ndarray, " draws"]], Float[np.ndarray, " times"]]:
    """Coefficients of random kept sets of the same sizes; and the mean number of heads kept by 0, 1, 2 ... raters."""
    found: dict[Coefficient, list[np.ndarray]] = {name: [] for name in COEFFICIENTS}
    times = np.zeros(len(sets.raters) + 1)
    for start in range(0, count, AT_ONCE):
        kept = _dealt(sets, rng, min(AT_ONCE, count - start), within_layers=within_layers)
        times += np.bincount(kept.sum(axis=1).ravel(), minlength=len(times))
        for name, coefficient in COEFFICIENTS.items():
            found[name].append(np.asarray(coefficient(kept)))
    return {name: np.concatenate(parts) for name, parts in found.items()}, times / count


def _dealt(
    sets: KeptSets, rng: np.random.Generator, count: int, *, within_layers: bool
) -> Bool[np.ndarray, "draws raters heads"]:
    """Random kept sets; heads stand by strata, whose order no coefficient asks for."""
    strata = sets.strata(within_layers=within_layers)
    return np.concatenate(
        [rng.permuted(np.broadcast_to(kept, (count, *kept.shape)), axis=2) for kept in strata], axis=2
    )
