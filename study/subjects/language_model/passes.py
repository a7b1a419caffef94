"""Which requests are computed together in one forward pass, and where in it words are scored."""

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from jaxtyping import Int
from torch import Tensor

from study.subjects.language_model.requests import LanguageRow, Request
from study.subjects.subject import TokenRow

PASS_TOKENS = 4096
"""Tokens of a pass; one request may have more."""


def language_rows(rows: Sequence[TokenRow]) -> list[LanguageRow]:
    """Rows that a language model has encoded."""
    assert all(isinstance(row, LanguageRow) for row in rows), "rows of another kind of model"
    return [row for row in rows if isinstance(row, LanguageRow)]


def requests_of_rows(
    rows: Sequence[LanguageRow], *, alone: bool = True
) -> tuple[list[Request], Int[np.ndarray, " requests"]]:
    """The requests of rows one after the other, and the position of the row of each; `alone`: those without context."""
    own = [row.requests if alone or not row.choices else row.requests[: row.choices] for row in rows]
    return [request for part in own for request in part], np.repeat(np.arange(len(rows)), [len(part) for part in own])


def passes(requests: Sequence[Request]) -> Iterator[Int[np.ndarray, " pass"]]:
    """Positions of requests that are computed together: those of one length, as many as fit."""
    lengths = np.array([len(request.context) + len(request.continuation) - 1 for request in requests])
    for length in np.unique(lengths):
        same = np.flatnonzero(lengths == length)
        at_once = max(1, PASS_TOKENS // int(length))
        yield from (same[start : start + at_once] for start in range(0, len(same), at_once))


def scored_places(requests: Sequence[Request]) -> tuple[Tensor, Tensor, Tensor]:
    """Row and token after which each word is scored, and the word."""
    lengths = np.array([len(request.continuation) for request in requests])
    rows = np.repeat(np.arange(len(requests)), lengths)
    tokens = np.concatenate([np.arange(len(request.context) - 1, len(request.read)) for request in requests])
    words = np.concatenate([request.continuation for request in requests])
    return torch.from_numpy(rows), torch.from_numpy(tokens), torch.from_numpy(words)
