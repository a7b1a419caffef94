"""The limits of an axis, for one panel or for all that are compared."""

from collections.abc import Sequence

import polars as pl

AIR = 0.05
"""Share of an axis that stays empty at either end."""


def limits(compared: pl.DataFrame, columns: Sequence[str], *also: float, air: float = AIR) -> tuple[float, float]:
    """Ends of an axis on which every number of these columns has its place, with some air.

    Args:
        compared: rows of every panel that shares the axis.
        columns: columns of numbers, those that there are.
        also: further numbers that have their place on it.
        air: share of the axis that stays empty at either end.
    """
    known = [compared[column].cast(pl.Float64) for column in columns if column in compared.columns]
    numbers = pl.concat([pl.Series(also, dtype=pl.Float64), *(numbers.alias("") for numbers in known)])
    numbers = numbers.drop_nulls().drop_nans()
    low, high = (float(end) for end in (numbers.min() or 0.0, numbers.max() or 0.0))  # type: ignore[arg-type]
    beside = air * (high - low) / (1 - 2 * air) or 0.5
    return low - beside, high + beside
