"""The tables of agreement: every coefficient beside what chance gives, and by how many raters each head is kept."""

import zlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from jaxtyping import Float

from analysis.agreement import chance
from analysis.agreement.coefficients import COEFFICIENTS, Coefficient, cochran_p
from analysis.agreement.kept_sets import KeptSets
from analysis.defaults import DEFAULTS
from analysis.formatting import decimal, p_value
from study.record.errors import InputError, listed
from study.record.units import ADDRESS

LEVEL = 0.95
"""The bound by chance is the smallest value that at least this share of random kept sets does not exceed."""

LARGE = 10
"""Mean numbers of heads from which on they are told without decimals."""

EQUAL = 0.05
"""Level of the test of equal counts."""

SETS = {"task": pl.String, "along": pl.String, "raters": pl.Int64, "heads": pl.Int64}

COLUMNS = (
    SETS
    | {"fewest": pl.Int64, "most": pl.Int64, "coefficient": pl.String}
    | dict.fromkeys(["value", "chance", "bound", "p", "layers_chance", "layers_bound", "layers_p"], pl.Float64)
    | {"p_counts": pl.Float64, "draws": pl.Int64, "seed": pl.Int64}
)

TIMES = SETS | {"kept_by": pl.Int64, "count": pl.Int64, "chance": pl.Float64, "layers_chance": pl.Float64}

HEADS = {"task": pl.String, "along": pl.String, **ADDRESS, "kept_by": pl.Int64, "raters": pl.Int64, "who": pl.String}


@dataclass(frozen=True)
class Agreement:
    """How far kept sets agree.

    Attributes:
        sets: the kept sets of each task.
        coefficients: one row for each task and coefficient: raters, heads, fewest and most (heads that a rater keeps),
            value; chance, bound and p: mean, 95 % bound and share of random kept sets of the same sizes that reach the
            value; layers_chance ...: of random sets that keep as many heads of each layer; p_counts: the test of
            equal counts that Cochran's Q is, which has no p of agreement. Null where a coefficient does not exist.
        times: how many heads are kept by 0, 1, 2 ... raters, and how many would be by chance.
        heads: by how many raters each head is kept, and by which.
    """

    sets: tuple[KeptSets, ...]
    coefficients: pl.DataFrame
    times: pl.DataFrame
    heads: pl.DataFrame

    @property
    def tables(self) -> dict[str, pl.DataFrame]:
        """Every table, by the name of its files."""
        return {"kept_sets": self.coefficients, "kept_sets_times": self.times, "kept_sets_heads": self.heads}

    @property
    def sentences(self) -> list[str]:
        """A sentence on each task: how many heads all raters keep, by chance, and what Cochran's Q tests."""
        return [
            _sentence(own, self.coefficients.filter(task=own.task).rows_by_key("coefficient", named=True, unique=True))
            for own in self.sets
        ]


def agreement(
    sets: Sequence[KeptSets], resamples: int = DEFAULTS["resamples"], seed: int = DEFAULTS["seed"]
) -> Agreement:
    """Everything that is said of the agreement of kept sets.

    Args:
        sets: the kept sets of each task.
        resamples: random kept sets that are drawn for what chance gives.
        seed: seed of the draws; those of a task are the same whatever else is analysed beside it.

    Raises:
        InputError: when the seed is negative, or two tasks have one name.
    """
    double = [name for name, count in Counter(own.task for own in sets).items() if count > 1]
    if double:
        raise InputError(f"there are two comparisons of one name, {listed(double)}: give one folder or file at a time")
    if seed < 0:
        raise InputError(f"seed must be at least 0, not {seed}")
    coefficients, times = [], []
    for own in sets:
        rng = np.random.default_rng([seed, zlib.crc32(own.task.encode())])
        nulls = [chance.draws(own, rng, resamples, within_layers=within) for within in (False, True)]
        coefficients += _coefficient_rows(own, [drawn for drawn, _ in nulls], (resamples, seed))
        times += _times_rows(own, [mean for _, mean in nulls])
    heads = [row for own in sets for row in _head_rows(own)]
    return Agreement(
        tuple(sets),
        pl.DataFrame(coefficients, schema=COLUMNS, orient="row"),
        pl.DataFrame(times, schema=TIMES, orient="row"),
        pl.DataFrame(heads, schema=HEADS, orient="row"),
    )


def _coefficient_rows(
    sets: KeptSets, nulls: Sequence[dict[Coefficient, np.ndarray]], made: tuple[int, int]
) -> Iterator[tuple[Any, ...]]:
    beside: list[float | None]
    for name, coefficient in COEFFICIENTS.items():
        value = float(coefficient(sets.kept))
        if name is Coefficient.KEPT_IN_ALL:
            exact = [chance.kept_in_all(sets, within_layers=within) for within in (False, True)]
            beside = [number for null in exact for number in _exact(int(value), null)]
        else:
            beside = [number for null in nulls for number in _simulated(value, null[name])]
        counts = None
        if name is Coefficient.COCHRAN_Q:  # large where counts differ, and larger where the same heads are kept
            beside[2] = beside[5] = None
            counts = cochran_p(sets.kept)
        numbers = (value, *beside, counts)
        size = int(sets.sizes.min()), int(sets.sizes.max())
        yield (*_names(sets), *size, str(name), *map(_finite, numbers), *made)


def _exact(value: int, null: Float[np.ndarray, " counts"]) -> tuple[float, float, float]:
    """Mean, bound and chance of at least the value, from the exact chance of each count."""
    bound = np.searchsorted(null.cumsum(), LEVEL)
    return float(null @ np.arange(len(null))), float(bound), min(1.0, float(null[value:].sum()))


def _simulated(value: float, drawn: Float[np.ndarray, " draws"]) -> tuple[float | None, float | None, float | None]:
    """Mean, bound and share of draws (the value among them) that reach the value."""
    drawn = drawn[~np.isnan(drawn)]
    if np.isnan(value) or not drawn.size:
        return None, None, None
    bound = np.quantile(drawn, LEVEL, method="inverted_cdf")
    reached = int((drawn >= value - 1e-9).sum())
    return float(drawn.mean()), float(bound), (1 + reached) / (1 + drawn.size)


def _times_rows(sets: KeptSets, means: Sequence[np.ndarray]) -> Iterator[tuple[Any, ...]]:
    counted = np.bincount(sets.counts, minlength=len(sets.raters) + 1)
    for kept_by, (count, *by_chance) in enumerate(zip(counted, *means, strict=True)):
        yield (*_names(sets), kept_by, int(count), *map(float, by_chance))


def _head_rows(sets: KeptSets) -> Iterator[tuple[Any, ...]]:
    for head, kept in zip(sets.heads, sets.kept.T, strict=True):
        who = [rater for rater, keeps in zip(sets.raters, kept, strict=True) if keeps]
        yield (sets.task, sets.along, *head.row.values(), len(who), len(sets.raters), ", ".join(who))


def _names(sets: KeptSets) -> tuple[str, str, int, int]:
    return sets.task, sets.along, len(sets.raters), len(sets.heads)


def _finite(number: float | None) -> float | None:
    return None if number is None or np.isnan(number) else number


def _sentence(sets: KeptSets, found: Mapping[str, Mapping[str, Any]]) -> str:
    names = Coefficient.KEPT_IN_ALL, Coefficient.FLEISS_KAPPA, Coefficient.COCHRAN_Q
    kept, kappa, q = (found[name] for name in names)
    told = (
        f"{sets.task + ': ' if sets.task else ''}{kept['value']:.0f} of {len(sets.heads)} heads are kept in all "
        f"{len(sets.raters)} sets; by chance {_heads(kept['chance'])} (95 % bound {kept['bound']:.0f}), with the "
        f"numbers of each layer held {_heads(kept['layers_chance'])} ({kept['layers_bound']:.0f})."
    )
    if kappa["value"] is None:
        return f"{told} There is no kappa: no head is kept, or all are."
    numbers = (decimal(kappa[name]) for name in ("value", "chance", "bound"))
    told += " Fleiss' kappa {} (by chance {}, 95 % bound {}).".format(*numbers)
    if q["p_counts"] is None:
        return told
    equal = "are not shown to differ" if q["p_counts"] > EQUAL else "differ"
    return f"{told} Cochran's Q tests equal counts only: they {equal} (p {p_value(q['p_counts'])})."


def _heads(mean: float) -> str:
    """A mean number of heads: whole where it is large."""
    return decimal(mean, 0 if mean >= LARGE else 1)
