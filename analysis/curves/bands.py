"""Pruning curves and their bands: the score over the share of heads removed, for every order (figures 3 and 4).

Which masks form a curve stands beside the outcomes (`study.record.curves`); the scores are those of the outcomes.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import polars as pl
from jaxtyping import Float

from analysis.curves.order_names import curve_kinds, order_name
from analysis.effects.head_effects import DEFAULT
from analysis.inference import Inference, resampling
from analysis.inference.resampling import ENOUGH_FOR_AN_INTERVAL
from analysis.results.domain import IDENTITY, Domain
from study.record.curves import Curve

CURVE = [*IDENTITY, "metric", "kinds", "curve", "order", "level"]
POINTS = (
    dict.fromkeys(CURVE, pl.String)
    | dict.fromkeys(["seed", "order_examples", "removed", "units"], pl.Int64)
    | dict.fromkeys(["share", "base_score", "score", "low", "high"], pl.Float64)
)


@dataclass(frozen=True, eq=False)
class ResampledCurves:
    """The curves of a domain, with the scores of their masks on resamples of its groups of examples.

    All masks are scored on the same resamples, so that curves are compared in pairs.

    Attributes:
        domain: the domain that has the curves.
        scores: scores of every mask by key, first on all examples, then on each resample.
        base: the scores of the full mask, in the same way.
        inference: how they were resampled.
    """

    domain: Domain
    scores: Mapping[str, Float[np.ndarray, " draws"]]
    base: Float[np.ndarray, " draws"]
    inference: Inference

    @classmethod
    def of(cls, domain: Domain, inference: Inference = DEFAULT) -> "ResampledCurves":
        """Resample a domain."""
        sample = domain.sample(inference.groups).select(mask for curve in domain.curves for mask in curve.masks)
        some = domain.curves and sample.groups > 1  # of one group every resample is the same
        resamples = min(inference.resamples, ENOUGH_FOR_AN_INTERVAL) if some else 0
        draws = resampling.scores(sample, resamples, inference.seed)
        scores = np.concatenate([sample.scores[None], draws])
        by_mask = dict(zip(sample.masks, scores.T, strict=True))
        return cls(domain, by_mask, scores[:, 0], inference)

    @property
    def lines(self) -> dict[tuple[str, str], list[Curve]]:
        """The curves that are one line, seeds of one order, by kinds and order in words."""
        lines: dict[tuple[str, str], list[Curve]] = {}
        for curve in self.domain.curves:
            key = curve_kinds(curve), order_name(curve, self.domain.data)
            lines.setdefault(key, []).append(curve)
        return lines

    def along(self, curve: Curve) -> Float[np.ndarray, "draws points"]:
        """The scores of a curve."""
        return np.stack([self.scores[mask] for mask in curve.masks], axis=1)

    def interval(self, draws: Float[np.ndarray, "draws *any"]) -> Float[np.ndarray, "2 *any"]:
        """Percentile interval of numbers whose first row is of all examples; NaN where there are no resamples."""
        if len(draws) < 2:
            return np.full((2, *draws.shape[1:]), np.nan)
        return resampling.percentile(draws[1:], self.inference.alpha)


def curve_points(resampled: ResampledCurves) -> pl.DataFrame:
    """Every point of every curve of a domain whose masks are all complete.

    Returns:
        Columns of the domain; kinds, curve (the order in words), order, level (what is removed: heads, groups, layers
        or MLPs), seed (of random orders), order_examples (that the order was made of), removed, units (that there are
        of these kinds), share (of them, 0 to 1),
        base_score, score; low and high: the base score and the interval of the difference from it, by a paired
        bootstrap over groups; null where nothing can be resampled.
    """
    domain, rows = resampled.domain, []
    base = float(resampled.base[0])
    for (kinds, name), curves in resampled.lines.items():
        for curve in curves:
            scores = resampled.along(curve)
            low, high = resampled.interval(scores - resampled.base[:, None])
            names = (*domain.identity.values(), domain.metric.name, kinds, name, curve.order, str(curve.unit))
            names += (curve.options.get("seed"), curve.examples)
            for i, removed in enumerate(curve.removed):
                point = (removed, curve.heads, removed / curve.heads, base, scores[0, i], base + low[i], base + high[i])
                rows.append((*names, *point))
    return pl.DataFrame(rows, schema=POINTS, orient="row").fill_nan(None)


def mean_curves(points: pl.DataFrame) -> pl.DataFrame:
    """The curves of all seeds of an order as one: columns of `CURVE`, share, base_score, score, low, high, curves.

    The band of several seeds is from the lowest to the highest; that of one curve is its interval.
    """
    several = pl.len() > 1
    return points.group_by(*CURVE, "share", maintain_order=True).agg(
        pl.col("base_score").first(),
        pl.col("score").mean(),
        low=pl.when(several).then(pl.col("score").min()).otherwise(pl.col("low").first()),
        high=pl.when(several).then(pl.col("score").max()).otherwise(pl.col("high").first()),
        curves=pl.len().cast(pl.Int64),
    )
