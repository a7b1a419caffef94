"""Correlation coefficients of two rows of effects, of many rows at once where resampling needs it."""

import numpy as np
from jaxtyping import Float
from scipy import stats

from analysis.inference.significance import TIE

Heads = Float[np.ndarray, " heads"]


def centred(effects: Float[np.ndarray, "... heads"]) -> Float[np.ndarray, "... heads"]:
    """Effects less their mean over heads."""
    return effects - effects.mean(axis=-1, keepdims=True)


def pearson(a: Float[np.ndarray, "... heads"], b: Float[np.ndarray, "... heads"]) -> Float[np.ndarray, "..."]:
    """Pearson's r over the last axis; NaN where all effects of either are equal."""
    constant = (np.ptp(a, axis=-1) < TIE) | (np.ptp(b, axis=-1) < TIE)
    a, b = centred(a), centred(b)
    size = np.sqrt(np.square(a).sum(axis=-1) * np.square(b).sum(axis=-1))
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(constant, np.nan, np.clip((a * b).sum(axis=-1) / size, -1.0, 1.0))


def spearman(a: Float[np.ndarray, "... heads"], b: Float[np.ndarray, "... heads"]) -> Float[np.ndarray, "..."]:
    """Spearman's rank correlation over the last axis; equal effects share the mean of their ranks."""
    return pearson(stats.rankdata(a, axis=-1), stats.rankdata(b, axis=-1))


def kendall(a: Heads, b: Heads) -> float:
    """Kendall's tau-b, which allows for equal effects; NaN where all of either are equal."""
    return float(stats.kendalltau(a, b, method="asymptotic").statistic)  # type: ignore[reportAttributeAccessIssue]
