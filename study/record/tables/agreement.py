"""Agreement: whether two rows of one mask and example, stored by two processes, say the same.

Floating point differs between batch sizes, threads and devices. Integer statistics must be equal where the margin is
above the tolerance, floats (and the outputs of a regression, which are stored as integers) within it. Log-likelihoods
are sums over tokens: they, and all that follows from them, agree within it as a share of the row's largest.
"""

import math
from collections.abc import Mapping
from typing import Any

import polars as pl

from study.record.metrics.choices.alternatives import LOGLIK
from study.record.metrics.numbers import OUTPUT, PER_UNIT
from study.record.metrics.texts.ratios import GREEDY, NLL, TOKENS

FIRST = "_first"
"""Ends the names of the columns of the row that was stored first."""

NEAR_TIES = 0.02
"""Share of the tokens, and one more, of which another one may be the likeliest in another computation."""

Columns = Mapping[str, Any]
"""The type of each column of a row but its keys; a pair of rows has every column twice, once with `FIRST`."""


def compare(columns: Columns, within: float) -> tuple[pl.Expr, pl.Expr]:
    """Whether two rows contradict each other, and whether they differ where it was close, as outcomes do."""
    differ, close = decisions_differ(columns), is_close(columns, within)
    other_tokens, too_many = greedy_tokens_differ(columns)
    return (differ | numbers_differ(columns, within)) & ~close | too_many, (differ & close) | other_tokens


def decisions_differ(columns: Columns) -> pl.Expr:
    """Whether two rows have other integers: answers, statistics."""
    decided = [name for name in columns if _numbers(columns, name).is_integer() and name not in (OUTPUT, GREEDY)]
    return pl.any_horizontal(pl.lit(value=False), *(pl.col(name) != pl.col(f"{name}{FIRST}") for name in decided))


def numbers_differ(columns: Columns, within: float) -> pl.Expr:
    """Whether two rows have floats that are further from each other than the tolerance."""
    allowed = within * _size(columns)
    found = [pl.lit(value=False)]
    for name, dtype in columns.items():
        one, other = pl.col(name), pl.col(f"{name}{FIRST}")
        if isinstance(dtype, pl.Array):
            largest = [x.arr.eval(pl.element().abs()).arr.max() for x in (one, other, one - other)]
            found.append(largest[2] > within * pl.max_horizontal(largest[0], largest[1], 1.0))
        elif name == OUTPUT:
            found.append((one - other).abs() / PER_UNIT > within)
        elif _numbers(columns, name).is_float():  # a margin may be infinite, and equal infinities do not differ
            found.append((one != other) & ~(_largest(columns, name, one - other) <= allowed))
    return pl.any_horizontal(found)


def is_close(columns: Columns, within: float) -> pl.Expr:
    """Whether the margin of either row is within the tolerance, so that its decision may be another one."""
    if "margin" not in columns:
        return pl.lit(value=False)
    return pl.min_horizontal("margin", f"margin{FIRST}") <= within * _size(columns)


def greedy_tokens_differ(columns: Columns) -> tuple[pl.Expr, pl.Expr]:
    """Whether two rows count other tokens as the likeliest ones, and whether there are more than near ties explain."""
    if GREEDY not in columns:
        return pl.lit(value=False), pl.lit(value=False)
    apart = _largest(columns, GREEDY, pl.col(GREEDY) - pl.col(f"{GREEDY}{FIRST}"))
    return apart > 0, apart > 1 + NEAR_TIES * _largest(columns, GREEDY, pl.col(TOKENS))


def changes(columns: Columns, name: str) -> pl.Expr:
    """The differences of two rows in all numbers of a column of lists or arrays, in one list."""
    apart = pl.col(name) - pl.col(f"{name}{FIRST}")
    dtype = columns[name]
    return apart.reshape((-1, math.prod(dtype.shape))).arr.to_list() if isinstance(dtype, pl.Array) else apart


def _numbers(columns: Columns, name: str) -> Any:
    """The type of a column's numbers, which may stand in lists."""
    dtype = columns[name]
    return dtype.inner if isinstance(dtype, pl.List) else dtype


def _largest(columns: Columns, name: str, value: pl.Expr) -> pl.Expr:
    """The largest size of a row's numbers, which stand in lists where those of the column do."""
    return value.list.eval(pl.element().abs()).list.max() if isinstance(columns[name], pl.List) else value.abs()


def _size(columns: Columns) -> pl.Expr:
    """What a tolerance is a share of: the largest log-likelihood of both rows, or 1 where that is less or not there."""
    sums = [name for name in (LOGLIK, NLL) if name in columns]
    sizes = [_largest(columns, name, pl.col(f"{name}{end}")) for name in sums for end in ("", FIRST)]
    return pl.max_horizontal(pl.lit(1.0), *sizes)
