"""Exact beats draft: the rule by which rows of several stages become one row for each mask and example, or none.

1. Between stages the latest stands, and is compared with nothing.
2. Exact rows of one mask and example must agree, as rows of every other precision must.
3. Drafts of one stage that decide differently, as far as rows alone tell, leave the decision open. Where they decide
   alike, the least margin of them counts, and the first by file name is the row.
4. A draft whose margin is not above the largest threshold of any part leaves its decision open.

What is left open has no row: it is missing, as what was never computed. Each step depends on the set of rows alone, not
on their order, and a larger threshold can only take drafts away.
"""

import polars as pl

from study.record.cascade.decisions import differ
from study.record.cascade.thresholds import Thresholds, checked_stages

KEYS = ["mask", "example"]


def latest(rows: pl.DataFrame) -> pl.DataFrame:
    """The rows of the latest stage of each mask and example, in their order.

    Raises:
        ValueError: for a stage that there is not.
    """
    ranked = rows.select(KEYS).with_columns(rank=checked_stages(rows).to_physical())
    if not ranked.select(KEYS).is_duplicated().any():
        return rows
    return rows.filter(ranked.select(last=pl.col("rank") == pl.col("rank").max().over(KEYS))["last"])


def standing_drafts(rows: pl.DataFrame, thresholds: Thresholds) -> pl.DataFrame:
    """The drafts that stand, one for each mask and example, in their order.

    Args:
        rows: drafts, those of one mask and example all of one stage; columns mask, example, stage, margin and others.
        thresholds: the largest of all parts.
    """
    doubled = rows.select(KEYS).is_duplicated()
    if doubled.any():
        doubles = rows.filter(doubled)
        first = doubles.unique(subset=KEYS, keep="first", maintain_order=True)
        firsts = doubles.select(KEYS).join(first, on=KEYS, how="left", maintain_order="left")
        apart = doubles.filter(pl.Series(differ(doubles, firsts)) | ~(pl.col("margin") > 0))
        least = doubles.group_by(KEYS).agg(pl.col("margin").min().alias("least"))
        rows = rows.unique(subset=KEYS, keep="first", maintain_order=True)
        rows = rows.join(apart.select(KEYS), on=KEYS, how="anti", maintain_order="left")
        rows = rows.join(least, on=KEYS, how="left", maintain_order="left")
        rows = rows.with_columns(margin=pl.coalesce("least", "margin")).drop("least")
    return rows.filter(~thresholds.is_open(rows))
