"""Importance along an axis: are heads ranked alike by their gradients in two cells of the same examples?

Spearman's correlation of the importances of all heads, by the paper's estimator with its normalisation. Its interval is
a delete-a-group jackknife in which the same groups of examples are left out of both cells, so that noise which both
share makes it no narrower than it is.
"""

from collections.abc import Iterator, Sequence
from itertools import combinations
from typing import Any

import numpy as np
import polars as pl
from jaxtyping import Float

from analysis.correlation.coefficients import spearman
from analysis.correlation.first_order_fit import blocks_of, jackknifed
from analysis.correlation.pairs import FEWEST, by_kind
from analysis.results.domain import Domain
from study.record.importance import Estimator, importance
from study.record.loss import PLAIN, Loss

IMPORTANCE = {"kind": pl.String, "loss": pl.String, "heads": pl.Int64} | dict.fromkeys(
    ["spearman", "low", "high", "level"], pl.Float64
)
"""Columns of a correlation of importances."""

PAPER = Estimator.paper


def importance_correlations(
    cells: Sequence[Domain], groups: str, level: float
) -> Iterator[tuple[int, int, dict[str, Any]]]:
    """How alike heads are ranked in every two cells whose importance was measured on the same groups of examples.

    Args:
        cells: domains of the same heads.
        groups: how examples are grouped, as in `Domain.sample`.
        level: probability that intervals hold.

    Yields:
        The places of both cells, and the columns of `IMPORTANCE`.
    """
    losses = dict.fromkeys(loss for cell in cells for loss in cell.gradients)
    for loss in [PLAIN] if PLAIN in losses else losses:
        known = {at: _ranked(cell, loss, groups) for at, cell in enumerate(cells) if loss in cell.gradients}
        for a, b in combinations(known, 2):
            if known[a][0] != known[b][0]:
                continue
            for kind, where in by_kind(list(cells[a].layout.heads)):
                if where.sum() < FEWEST:
                    continue
                rho, low, high = jackknifed(spearman(known[a][1][:, where], known[b][1][:, where]), 1 - level)
                row = {"kind": kind, "loss": str(loss), "heads": int(where.sum()), "level": level}
                yield a, b, row | {"spearman": rho, "low": low, "high": high}


def _ranked(cell: Domain, loss: Loss, groups: str) -> tuple[tuple[str, ...], Float[np.ndarray, "blocks heads"]]:
    """The groups that a cell's importance is of; the importances on all examples, and without each block of groups."""
    whole = cell.gradients[loss].filter(mask=cell.layout.full_key)
    column = cell.group_column(groups)
    own = cell.examples.filter(pl.col("example").is_in(whole["example"].implode()))
    parts = [whole.join(block, on="example") for block in blocks_of(cell, whole["example"], groups)]
    names = tuple(own[column].cast(pl.String).unique(maintain_order=True))
    return names, np.stack([importance(part, cell.layout, PAPER, PAPER.normalisation()) for part in parts])
