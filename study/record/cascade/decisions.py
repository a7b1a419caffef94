"""Decisions as stored outcomes tell them, by every notion of the largest, and which of them differ."""

import numpy as np
import polars as pl
from jaxtyping import Bool, Int

from study.record.metrics import CHOOSING


def decisions(rows: pl.DataFrame, examples: pl.DataFrame | None = None) -> Int[np.ndarray, "rows notions"]:
    """What is decided in rows of outcomes: a label, or the likeliest choice by every metric that can be told.

    Args:
        rows: outcomes.
        examples: the examples, with the lengths that some metrics divide by; None: these metrics tell nothing.
    """
    if "prediction" in rows.columns:
        return rows["prediction"].to_numpy()[:, None]
    if examples is not None:
        others = [name for name in examples.columns if name == "example" or name not in rows.columns]
        rows = rows.join(examples.select(others), on="example", how="left", maintain_order="left")
    told = [metric for metric in CHOOSING if {*metric.reads, *metric.example_columns} - {"target"} <= set(rows.columns)]
    return np.stack([metric.values(rows).argmax(axis=1) for metric in told], axis=1)


def differ(one: pl.DataFrame, other: pl.DataFrame, examples: pl.DataFrame | None = None) -> Bool[np.ndarray, " rows"]:
    """Whether two tables of outcomes, row by row of the same examples, decide differently by any notion."""
    if not one.height:
        return np.zeros(0, dtype=bool)
    return (decisions(one, examples) != decisions(other, examples)).any(axis=1)
