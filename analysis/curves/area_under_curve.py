"""What a pruning curve comes to as a number: the area under it, and the largest share of heads that can go.

Both with intervals by the resamples that all curves of a domain share, so that two orders are compared in pairs. Random
orders of several seeds are one line: its area is the mean of theirs.
"""

from collections.abc import Iterator, Mapping
from itertools import combinations

import numpy as np
import polars as pl
from jaxtyping import Float

from analysis import paper
from analysis.curves.bands import CURVE, POINTS, ResampledCurves
from analysis.curves.order_names import is_papers
from analysis.defaults import DEFAULTS, by_metric
from analysis.effects.head_effects import ALL_KINDS
from study.record.curves import Curve
from study.record.errors import InputError

SUMMARY = {name: POINTS[name] for name in CURVE} | {
    "curves": pl.Int64,
    **dict.fromkeys(["base_score", "area", "area_low", "area_high", "area_lowest", "area_highest"], pl.Float64),
    **dict.fromkeys(["within", "share", "share_low", "share_high", "paper_share", "alpha"], pl.Float64),
    **dict.fromkeys(["resamples", "seed"], pl.Int64),
}

CONTRASTS = {
    **{name: POINTS[name] for name in CURVE if name not in ("kinds", "curve", "order", "level")},
    **dict.fromkeys(["kinds_a", "curve_a", "kinds_b", "curve_b"], pl.String),
    **dict.fromkeys(["area_a", "area_b", "difference", "low", "high"], pl.Float64),
}


def curve_summary(drawn: ResampledCurves, within: Mapping[str, float] | float = DEFAULTS["within"]) -> pl.DataFrame:
    """One row for each order of a domain; `within` is a loss of score, in its unit; by metric, or one for any.

    Returns:
        Columns of `CURVE`; curves (seeds), base_score; area: the mean score along the curve, the area under it divided
        by the share that it ends at, with its interval over examples (area_low, area_high) and the smallest and largest
        of the seeds (area_lowest, area_highest); within, and share: the largest that can go before the (mean) score is
        further than that below the base, with its interval; paper_share where the subject is the paper's; alpha,
        resamples, seed: of the intervals, which are null where nothing can be resampled.

    Raises:
        InputError: when `within` is no loss.
    """
    allowed = by_metric(within, drawn.domain.metric.name)
    if not 0 <= allowed < np.inf:
        raise InputError(f"within is a loss of score, 0 or more; got {allowed:g}")
    return pl.DataFrame(list(_rows(drawn, allowed)), schema=SUMMARY, orient="row").fill_nan(None)


def contrasts(drawn: ResampledCurves) -> pl.DataFrame:
    """How much better one line is than another: every two orders of the same heads, and every two kinds by one order.

    Returns:
        Columns of the domain, metric; kinds_a, curve_a, kinds_b, curve_b; area_a, area_b; difference (a less b) with
        its interval by a paired bootstrap. The seeds of a random order are taken as they are.
    """
    names = (*drawn.domain.identity.values(), drawn.domain.metric.name)
    areas = {key: _areas(drawn, curves).mean(axis=0) for key, curves in drawn.lines.items()}
    rows = []
    for a, b in combinations(areas, 2):
        if a[0] == b[0] or (a[1] == b[1] and ALL_KINDS not in (a[0], b[0])):
            difference = areas[a] - areas[b]
            found = (areas[a][0], areas[b][0], difference[0], *drawn.interval(difference))
            rows.append((*names, *a, *b, *map(float, found)))
    return pl.DataFrame(rows, schema=CONTRASTS, orient="row").fill_nan(None)


def _rows(drawn: ResampledCurves, within: float) -> Iterator[tuple[object, ...]]:
    domain = drawn.domain
    for (kinds, name), curves in drawn.lines.items():
        seeds = _areas(drawn, curves)
        area, share = seeds.mean(axis=0), _shares(drawn, curves, within)
        theirs = paper.PRUNABLE.get(domain.names) if kinds == ALL_KINDS and is_papers(curves[0]) else None
        yield (
            *(*domain.identity.values(), domain.metric.name, kinds, name, curves[0].order, str(curves[0].unit)),
            len(curves),
            *map(float, (drawn.base[0], area[0], *drawn.interval(area), seeds[:, 0].min(), seeds[:, 0].max())),
            *map(float, (within, share[0], *drawn.interval(share))),
            theirs,
            *(drawn.inference.alpha, len(drawn.base) - 1, drawn.inference.seed),
        )


def _areas(drawn: ResampledCurves, curves: list[Curve]) -> Float[np.ndarray, "seeds draws"]:
    """The mean score along each curve."""
    return np.stack([_area(drawn.along(curve), np.array(curve.removed) / curve.heads) for curve in curves])


def _area(
    scores: Float[np.ndarray, "draws points"], share: Float[np.ndarray, " points"]
) -> Float[np.ndarray, " draws"]:
    return np.trapezoid(scores, share, axis=1) / share[-1] if share[-1] > 0 else scores[:, 0]


def _shares(drawn: ResampledCurves, curves: list[Curve], within: float) -> Float[np.ndarray, " draws"]:
    """The largest share before the mean of the curves is too far below the base."""
    scores = np.mean([drawn.along(curve) for curve in curves], axis=0)
    kept = np.cumprod(scores >= drawn.base[:, None] - within, axis=1).sum(axis=1)
    return np.array(curves[0].removed)[kept - 1] / curves[0].heads
