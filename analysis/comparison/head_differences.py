"""Head by head, what removing it costs one subject and another, on the same data: the difference of the two effects.

Two subjects can be compared so where they have the same heads: another seed, another fine-tuning, another checkpoint.
Not where they are known to start from different weights: their heads have nothing in common but their places.
"""

from collections.abc import Iterable, Iterator, Sequence
from itertools import combinations

import numpy as np
import polars as pl
from scipy import stats

from analysis.correlation.domain_effects import DomainEffects
from analysis.correlation.shared_examples import aligned, sampling_covariance
from analysis.results.domain import Domain
from study.record.units import ADDRESS

MOST_PAIRS = 10
"""Pairs of subjects (five subjects) that are held against each other; of more none are, and `too_many` says so."""

DIFFERENCES = (
    {f"{name}_{side}": pl.String for side in "ab" for name in ("subject", "subject_id", "setting")}
    | {"domain": pl.String, "metric": pl.String, "unit": pl.String}
    | ADDRESS
    | dict.fromkeys(["effect_a", "effect_b", "difference", "low", "high"], pl.Float64)
    | dict.fromkeys(["groups_a", "groups_b", "shared"], pl.Int64)
    | {"alpha": pl.Float64}
)

Measured = tuple[Domain, DomainEffects]


def head_differences(domains: Sequence[Measured], alpha: float) -> pl.DataFrame:
    """The difference of the effects of each head in every two subjects of the same heads and metric.

    Args:
        domains: every domain with its effects.
        alpha: level of the intervals.

    Returns:
        One row a pair of subjects, data set and head: subject_a, subject_id_a, setting_a, subject_b ...; domain,
        metric, unit; kind, layer, head; effect_a, effect_b, difference (b less a); low, high: its interval, by the
        jackknife over groups with Student's t, which takes noise that both share out where they share examples;
        groups_a, groups_b, shared: groups of examples; alpha. Empty where there are more than `MOST_PAIRS` pairs of
        subjects.
    """
    pairs = list(_pairs(domains))
    frames = [_differences(a, b, alpha) for a, b in pairs] if len(_subjects(pairs)) <= MOST_PAIRS else []
    return pl.concat([pl.DataFrame(schema=DIFFERENCES), *frames])


def too_many(domains: Sequence[Measured], *, along: bool = False) -> list[str]:
    """A sentence where so many pairs of subjects have the same heads that none are held against each other.

    Args:
        domains: every domain with its effects.
        along: whether cells are compared along an axis besides; if not, the sentence says that they can be.
    """
    count = len(_subjects(_pairs(domains)))
    if count <= MOST_PAIRS:
        return []
    advice = "" if along else ", --along compares all along an axis such as seed or replacement"
    return [
        f"head by head, {count} pairs of models of the same heads, as no more than {MOST_PAIRS} are shown; --model "
        f"chooses some of them{advice}"
    ]


def _subjects(pairs: Iterable[tuple[Measured, Measured]]) -> set[tuple[str, str]]:
    return {(a[0].subject_id, b[0].subject_id) for a, b in pairs}


def _pairs(domains: Sequence[Measured]) -> Iterator[tuple[Measured, Measured]]:
    for a, b in combinations(domains, 2):
        alike = (a[0].data, a[0].metric.name, a[0].layout) == (b[0].data, b[0].metric.name, b[0].layout)
        alike = alike and not _start_apart(a[0], b[0])
        if alike and a[0].subject_id != b[0].subject_id and a[1].heads and a[1].heads == b[1].heads:
            yield a, b


def _start_apart(a: Domain, b: Domain) -> bool:
    """Whether two subjects are known to have been trained from different weights."""
    one, other = ({place.initial for place in domain.factors} - {None} for domain in (a, b))
    return bool(one and other) and one.isdisjoint(other)


def _differences(a: Measured, b: Measured, alpha: float) -> pl.DataFrame:
    (domain, one), (other_domain, other) = a, b
    difference = other.effects - one.effects
    _, _, shared = aligned(one, other)
    groups = min(shared.groups_a, shared.groups_b)
    width = np.full(len(difference), np.nan)
    if groups > 1:
        variances = [np.diag(sampling_covariance(*pair)) for pair in ((one, one), (other, other), (one, other))]
        variance = variances[0] + variances[1] - 2 * variances[2]
        width = stats.t.ppf(1 - alpha / 2, groups - 1) * np.sqrt(np.maximum(variance, 0))
    told = {
        f"{name}_{side}": of.identity[column]
        for side, of in (("a", domain), ("b", other_domain))
        for name, column in (("subject", "subject"), ("subject_id", "subject_id"), ("setting", "setting_id"))
    }
    told |= {"domain": domain.data, "metric": domain.metric.name, "unit": domain.metric.unit, "alpha": alpha}
    told |= {"groups_a": shared.groups_a, "groups_b": shared.groups_b, "shared": shared.count}
    numbers = {"effect_a": one.effects, "effect_b": other.effects, "difference": difference}
    numbers |= {"low": difference - width, "high": difference + width}
    rows = pl.DataFrame([head.row for head in one.heads]).with_columns(
        **{name: pl.Series(values).fill_nan(None) for name, values in numbers.items()},
        **{name: pl.lit(value) for name, value in told.items()},
    )
    return rows.select(*DIFFERENCES).cast(DIFFERENCES)  # type: ignore[arg-type]
