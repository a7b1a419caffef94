"""Redundancy of a unit: how much less is missed of it and its partners than of both at once, over its partners.

It is the sum of the interactions below 0. Taken over the same examples, such a sum is below 0 by chance alone: noise
below 0 counts, noise above does not. So partners are selected on one half of the groups of examples, and the sum is
estimated on the other half, where the selection stands.
"""

import numpy as np
import polars as pl
from jaxtyping import Bool, Float
from scipy import stats

from analysis.sets.pairs import ABOUT, Pairs
from study.record.designs.jackknife import standard_error

HALVES = 23
"""Stream of random numbers of the seed."""

REDUNDANCY = (
    ABOUT
    | dict.fromkeys(["address", "scale", "metric", "unit"], pl.String)
    | dict.fromkeys(["partners", "selected", "groups_selecting", "groups_estimating"], pl.Int64)
    | dict.fromkeys(["redundancy", "low", "high", "alpha"], pl.Float64)
    | {"seed": pl.Int64}
)


def redundancy_table(pairs: Pairs) -> pl.DataFrame:
    """A row for each unit that has a partner, on the scale that is tested.

    Returns:
        Columns of the domain; design, level, address; scale, metric, unit; partners: units that it was paired with;
        selected: those whose interaction is below 0 on one half; groups_selecting, groups_estimating: of the halves;
        redundancy: the sum of the interactions with these on the other half; low, high: its interval by Student's t, by
        a jackknife over the groups of that half, the selection held; null where nothing is selected; alpha, seed.
    """
    scale, options = pairs.tested, pairs.inference
    sample = pairs.samples[scale]
    if sample.groups < 4 or not pairs.places:
        return pl.DataFrame(schema=REDUNDANCY)
    weights, has = pairs.weights(sample), _partners(pairs)
    order = np.random.default_rng([options.seed, HALVES]).permutation(sample.groups)
    selecting, estimating = (np.sort(half) for half in np.array_split(order, 2))
    chosen = has & (sample.part(selecting).scores @ weights < 0)
    half = sample.part(estimating)
    sums = (half.scores @ weights) @ chosen.T
    error = standard_error((half.without_each @ weights) @ chosen.T)
    width = stats.t.ppf(1 - options.alpha / 2, half.groups - 1) * error
    metric = pairs.scales[scale].metric
    told = {
        **pairs.about,
        **{"scale": scale, "metric": metric.name, "unit": metric.unit},
        **{"groups_selecting": len(selecting), "groups_estimating": len(estimating)},
        **{"alpha": options.alpha, "seed": options.seed},
    }
    rows = pl.DataFrame(
        {
            "address": pairs.units,
            "partners": has.sum(axis=1),
            "selected": chosen.sum(axis=1),
            "redundancy": sums,
            "low": _known(sums - width, chosen),
            "high": _known(sums + width, chosen),
        }
    )
    rows = rows.filter(pl.col("partners") > 0).with_columns(pl.col("low", "high").fill_nan(None))
    rows = rows.with_columns(**{name: pl.lit(value) for name, value in told.items()})
    return rows.select(*REDUNDANCY).cast(REDUNDANCY)  # type: ignore[arg-type]


def _partners(pairs: Pairs) -> Bool[np.ndarray, "units pairs"]:
    """Which pairs each unit is in."""
    has = np.zeros((len(pairs.units), len(pairs.places)), dtype=bool)
    for number, pair in enumerate(pairs.places):
        has[list(pair), number] = True
    return has


def _known(ends: Float[np.ndarray, " units"], chosen: Bool[np.ndarray, "units pairs"]) -> Float[np.ndarray, " units"]:
    """Ends of intervals; NaN where nothing is selected."""
    return np.where(chosen.any(axis=1), ends, np.nan)
