"""Map rows: how much each word looks at each other word, for every head, of a few examples to look at.

    maps-...parquet

To a split word the sum over its tokens, from it the mean; a special token is a word of its own, so that a row of
weights sums to what the tokens' rows sum to. Where a text is read in several windows, the first is kept.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import polars as pl

from study.record.tables.agreement import FIRST, Columns
from study.record.tables.attention import Observation

STEPS = 255
"""Weights are stored in steps of 1/255, a byte each."""

COLUMNS: Mapping[str, pl.DataType] = {
    "words": pl.List(pl.String()),
    "special": pl.List(pl.Boolean()),
    "target_words": pl.List(pl.String()),
    "target_special": pl.List(pl.Boolean()),
    "weights": pl.List(pl.UInt8()),
}
"""Columns besides the keys, see `Maps`."""

MOST_STEPS_APART = 3
"""Steps that a weight may differ by in another computation: rounding, and what low precision does."""


@dataclass(frozen=True)
class Maps(Observation):
    """The maps of an example under a mask.

    Columns: `words` and `special` (whether it is a special token) of what is read, `target_words` and `target_special`
    of a translation, empty where there is none; `weights`, in steps of 1/255: head after head in the order of the
    layout, of each the rows of those who look, over those that are looked at.
    """

    kind: ClassVar[str] = "maps"
    label: ClassVar[str] = "maps"
    own: ClassVar[tuple[str, ...]] = tuple(COLUMNS)
    types: ClassVar[Mapping[str, pl.DataType]] = COLUMNS
    reads_words: ClassVar[bool] = True

    def compare(self, columns: Columns, within: float) -> tuple[pl.Expr, pl.Expr]:  # noqa: ARG002
        """Words are the same, and weights a few steps apart at most."""
        texts = [name for name in columns if name in self.own and name != "weights"]
        other = pl.any_horizontal(pl.lit(value=False), *(pl.col(name) != pl.col(f"{name}{FIRST}") for name in texts))
        size = pl.col("weights").list.len() != pl.col(f"weights{FIRST}").list.len()
        whole = pl.List(pl.Int16)
        apart = (pl.col("weights").cast(whole) - pl.col(f"weights{FIRST}").cast(whole)).list.eval(pl.element().abs())
        return other | size | (apart.list.max() > MOST_STEPS_APART), apart.list.max() > 0
