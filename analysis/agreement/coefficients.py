"""Coefficients of agreement between raters who keep or remove each head, for many sets of raters at once.

Shapes: `raters` = those who keep or remove, `heads` = heads that all of them decide about; axes before are draws.
Values are NaN where a coefficient does not exist: where every head is kept, or none.
"""

from collections.abc import Callable
from enum import StrEnum

import numpy as np
from jaxtyping import Bool, Float
from scipy import stats

Kept = Bool[np.ndarray, "*draws raters heads"]
Values = Float[np.ndarray, "*draws"] | float


class Coefficient(StrEnum):
    """What is said of the agreement of kept sets."""

    KEPT_IN_ALL = "kept_in_all"
    JACCARD = "jaccard"
    JACCARD_PAIRS = "jaccard_pairs"
    FLEISS_KAPPA = "fleiss_kappa"
    KRIPPENDORFF_ALPHA = "krippendorff_alpha"
    COCHRAN_Q = "cochran_q"


NAMES = {
    Coefficient.KEPT_IN_ALL: "kept in all",
    Coefficient.JACCARD: "Jaccard of all",
    Coefficient.JACCARD_PAIRS: "Jaccard of pairs",
    Coefficient.FLEISS_KAPPA: "Fleiss' κ",
    Coefficient.KRIPPENDORFF_ALPHA: "Krippendorff's α",
    Coefficient.COCHRAN_Q: "Cochran's Q",
}
"""Coefficients in words."""


def kept_in_all(kept: Kept) -> Values:
    """How many heads every rater keeps."""
    return kept.all(axis=-2).sum(axis=-1).astype(float)


def jaccard(kept: Kept) -> Values:
    """Heads that all raters keep, as a share of those that any keeps (Jaccard 1912)."""
    return _divided(kept_in_all(kept), kept.any(axis=-2).sum(axis=-1))


def jaccard_pairs(kept: Kept) -> Values:
    """Mean of Jaccard's coefficient over every two raters; pairs that keep nothing are left out."""
    numbers = kept.astype(np.float32)  # counts, exact
    both = (numbers @ numbers.swapaxes(-1, -2)).astype(float)
    first, second = np.triu_indices(kept.shape[-2], 1)
    sizes = kept.sum(axis=-1)
    shared = both[..., first, second]
    any_ = sizes[..., first] + sizes[..., second] - shared
    found = np.where(any_ > 0, shared / np.maximum(any_, 1), 0.0).sum(axis=-1)
    return _divided(found, (any_ > 0).sum(axis=-1))


def fleiss_kappa(kept: Kept) -> Values:
    """Fleiss' kappa (1971): pairs of raters that agree, beyond what the overall share of kept heads gives."""
    raters = kept.shape[-2]
    count = kept.sum(axis=-2).astype(float)
    agree = (count * (count - 1) + (raters - count) * (raters - count - 1)).mean(axis=-1) / (raters * (raters - 1))
    share = count.mean(axis=-1) / raters
    by_chance = share**2 + (1 - share) ** 2
    return _divided(agree - by_chance, 1 - by_chance)


def krippendorff_alpha(kept: Kept) -> Values:
    """Krippendorff's alpha of nominal values (2004): Fleiss' kappa with a correction for few decisions."""
    decisions = kept.shape[-1] * kept.shape[-2]
    return 1 - (1 - fleiss_kappa(kept)) * (decisions - 1) / decisions


def cochran_q(kept: Kept) -> Values:
    """Cochran's Q (1950), which asks only whether raters keep equal *numbers* of heads, not whether the same ones."""
    raters = kept.shape[-2]
    count, size = kept.sum(axis=-2).astype(float), kept.sum(axis=-1).astype(float)
    total = size.sum(axis=-1)
    spread = (raters - 1) * (raters * np.square(size).sum(axis=-1) - total**2)
    return _divided(spread, raters * total - np.square(count).sum(axis=-1))


def cochran_p(kept: Bool[np.ndarray, "raters heads"]) -> float:
    """P value of Cochran's Q, by its chi-squared distribution with a degree of freedom less than there are raters."""
    return float(stats.chi2.sf(cochran_q(kept), kept.shape[0] - 1))


COEFFICIENTS: dict[Coefficient, Callable[[Kept], Values]] = {
    Coefficient.KEPT_IN_ALL: kept_in_all,
    Coefficient.JACCARD: jaccard,
    Coefficient.JACCARD_PAIRS: jaccard_pairs,
    Coefficient.FLEISS_KAPPA: fleiss_kappa,
    Coefficient.KRIPPENDORFF_ALPHA: krippendorff_alpha,
    Coefficient.COCHRAN_Q: cochran_q,
}


def _divided(numerator: Values, denominator: Values | np.integer | np.ndarray) -> Values:
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(np.asarray(denominator) > 0, numerator / denominator, np.nan)
