"""The mean score of coalitions by their size: in which contexts Shapley values are means of contributions."""

import numpy as np
import polars as pl
from scipy import stats

from analysis.sets.pairs import ABOUT
from analysis.sets.shapley import Coalitions
from study.record.designs.coalitions import ALL, INDEPENDENT
from study.record.designs.jackknife import standard_error

SIZES = (
    ABOUT
    | dict.fromkeys(["scale", "metric", "unit"], pl.String)
    | {"size": pl.Int64, "units": pl.Int64, "coalitions": pl.Int64, "n": pl.Int64}
    | dict.fromkeys(["score", "lowest", "highest", "low", "high", "alpha"], pl.Float64)
)


def size_table(found: Coalitions) -> pl.DataFrame:
    """A row for each scale and number of units that are on; sets of a size are drawn alike.

    Returns:
        Columns of the domain; design, level; scale, metric, unit; size, units (how many there are), coalitions (of this
        size), n (examples); score: their mean; lowest, highest: the extremes; low, high: the interval of the mean at
        1 - alpha over sets, the examples held, by Student's t; null of fewer than two, and where all sets are known, so
        that none was drawn. Masks near the full set have no rows.
    """
    if found.sampling == INDEPENDENT:
        return pl.DataFrame(schema=SIZES)
    size, rows = found.design.on.sum(axis=1), []
    for scale, (sample, at) in found.samples.items():
        scores, told = sample.scores[at], found.told(scale)
        for number in np.unique(size):
            own = scores[size == number]
            drawn = own.reshape(-1, 2).mean(axis=1) if 2 * number == found.design.on.shape[1] else own  # complements
            low, high = (None, None) if found.sampling == ALL else _interval(drawn, found.inference.alpha)
            numbers = {"size": int(number), "units": len(found.design.units), "coalitions": len(own)}
            ends = {"lowest": own.min(), "highest": own.max(), "low": low, "high": high}
            rows.append({**told, **numbers, "score": own.mean(), **ends})
    return pl.DataFrame([{name: row[name] for name in SIZES} for row in rows], schema=SIZES)


def _interval(scores: np.ndarray, alpha: float) -> tuple[float | None, float | None]:
    if len(scores) < 2:
        return None, None
    without_each = (scores.sum() - scores) / (len(scores) - 1)
    half = stats.t.ppf(1 - alpha / 2, len(scores) - 1) * float(standard_error(without_each[:, None])[0])
    return scores.mean() - half, scores.mean() + half
