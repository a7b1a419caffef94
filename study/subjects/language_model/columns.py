"""Outcome columns of a language model: what the sums of log-probabilities say of each example."""

from collections.abc import Iterator, Sequence
from itertools import accumulate, pairwise
from typing import Any

import numpy as np
import polars as pl
from jaxtyping import Float, Int

from study.subjects.language_model.requests import LanguageRow


def outcome_columns(
    sums: Float[np.ndarray, " requests"], greedy: Int[np.ndarray, " requests"], rows: Sequence[LanguageRow]
) -> dict[str, Any]:
    """The columns of rows that are all choices, or all texts.

    Args:
        sums: log-probability of each request's continuation, nats, the requests of a row one after the other.
        greedy: how many of its tokens are the most likely word.
        rows: the rows.

    Returns:
        For choices `loglik`, `tokens` and `greedy`: lists with a number for each continuation; `loglik_alone`: without
        the context, where that is scored; `loss`, see `choice_loss`; `margin`: the largest sum less the second. For
        texts `nll` (nats), `tokens`, `greedy` and `loss` (the `nll`); `margin` is infinite, as nothing is decided.
    """
    parts = list(_slices(rows))
    tokens = [[len(request.continuation) for request in row.requests] for row in rows]
    if not rows or not rows[0].choices:
        nll = np.array([-sums[part].sum() for part in parts], dtype=np.float64)
        return {
            "nll": nll,
            "tokens": np.array([sum(own) for own in tokens], dtype=np.int64),
            "greedy": np.array([greedy[part].sum() for part in parts], dtype=np.int64),
            "loss": nll,
            "margin": np.full(len(rows), np.inf, dtype=np.float32),
        }
    own = [slice(part.start, part.start + row.choices) for part, row in zip(parts, rows, strict=True)]
    alone = [slice(one.stop, part.stop) for one, part in zip(own, parts, strict=True)]
    columns = {
        "loglik": pl.Series([sums[part].tolist() for part in own], dtype=pl.List(pl.Float64)),
        "tokens": pl.Series(
            [lengths[: row.choices] for lengths, row in zip(tokens, rows, strict=True)], dtype=pl.List(pl.Int64)
        ),
        "greedy": pl.Series([greedy[part].tolist() for part in own], dtype=pl.List(pl.Int64)),
        "loss": np.array([choice_loss(sums[part], row.answer or 0) for part, row in zip(own, rows, strict=True)]),
        "margin": np.array([margin(sums[part]) for part in own], dtype=np.float32),
    }
    if any(part.start < part.stop for part in alone):
        columns["loglik_alone"] = pl.Series([sums[part].tolist() for part in alone], dtype=pl.List(pl.Float64))
    return columns


def choice_loss(sums: Float[np.ndarray, " choices"], answer: int) -> float:
    """Cross entropy of the right continuation among all, nats; what one alone lacks to certainty where it is one."""
    return float(np.logaddexp.reduce(sums) - sums[answer]) if len(sums) > 1 else float(-sums[answer])


def margin(sums: Float[np.ndarray, " choices"]) -> float:
    """How far the decision is from another one, nats; infinite where there is nothing to choose."""
    if len(sums) == 1:
        return np.inf
    second, best = np.sort(sums)[-2:]
    return float(best - second)


def _slices(rows: Sequence[LanguageRow]) -> Iterator[slice]:
    """The requests of each row among those of all."""
    ends = list(accumulate((len(row.requests) for row in rows), initial=0))
    return (slice(start, end) for start, end in pairwise(ends))
