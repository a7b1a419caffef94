"""Stages: how a decision was computed, from the cheapest to the exact one."""

from enum import StrEnum

import polars as pl

STAGE = "stage"
"""Column of an outcome row: how it was computed. Rows of other precisions have none."""


class Stage(StrEnum):
    """How a decision was computed; in this order, each later one is nearer to what is exact."""

    first_order = "first_order"
    bfloat16 = "bfloat16"
    float32 = "float32"

    @property
    def is_draft(self) -> bool:
        """Whether a decision stands only by its margin."""
        return self is not EXACT


EXACT = Stage.float32
"""The stage whose decisions are those of `precision=float32`."""

STAGES = pl.Enum([str(stage) for stage in Stage])
"""The stages as a type whose order is theirs."""


def is_staged(rows: pl.DataFrame) -> bool:
    """Whether rows say at which stage they were computed."""
    return STAGE in rows.columns


def is_draft() -> pl.Expr:
    """Whether a row is a draft."""
    return pl.col(STAGE) != str(EXACT)
