"""Lists of numbers, one for each alternative of a choice, as rectangles.

Shapes: `rows` = answers; `most` = alternatives of the choice that has most, others are filled up at their end.
"""

import numpy as np
import polars as pl
from jaxtyping import Float, Int

from study.record.errors import InputError

LOGLIK, TOKENS, GREEDY, LOGLIK_ALONE = "loglik", "tokens", "greedy", "loglik_alone"
"""Columns of an outcome row, lists with a number for each alternative: the sum of the log-likelihoods of its tokens
(nats), their number, how many of them are the likeliest token where they stand, and the sum without the context."""


def rectangle(lists: pl.Series, fill: float) -> Float[np.ndarray, "rows most"]:
    """Lists of numbers as rows, filled up at their end.

    Raises:
        InputError: when a list is empty, or holds what is no number.
    """
    lengths = lists.list.len().fill_null(0).to_numpy()
    if not lengths.all():
        raise InputError(f"the column {lists.name} lacks the numbers of {int((lengths == 0).sum())} answers")
    flat = lists.explode().cast(pl.Float64).to_numpy()
    if wrong := int(np.isnan(flat).sum()):
        raise InputError(f"{wrong} of {flat.size} entries of the column {lists.name} are no numbers")
    found = np.full((len(lists), int(lengths.max(initial=0))), fill)
    found[np.arange(found.shape[1]) < lengths[:, None]] = flat
    return found


def right_alternatives(rows: pl.DataFrame) -> Int[np.ndarray, " rows"]:
    """The number of the right alternative of each row with the columns `target` and `loglik`.

    Raises:
        InputError: when a target is none of its alternatives.
    """
    targets = rows["target"].cast(pl.Int64, strict=False)
    inside = targets.is_between(0, rows[LOGLIK].list.len().cast(pl.Int64) - 1).fill_null(value=False)
    if not inside.all():
        first = rows.filter(~inside).row(0, named=True)
        raise InputError(
            f"the right alternative is '{first['target']}', and there are {len(first[LOGLIK])}, counted from 0"
        )
    return targets.to_numpy()


def right_values(values: Float[np.ndarray, "rows most"], right: Int[np.ndarray, " rows"]) -> Float[np.ndarray, " rows"]:
    """The value of the right alternative of each row."""
    return np.take_along_axis(values, right[:, None], axis=1)[:, 0]
