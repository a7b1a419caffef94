"""Which heads have which roles, decided on one-sided limits.

A head has a role where the limit of its statistic, which new examples would pass on the wrong side in 5 of 100 cases,
is beyond the threshold. The limits are of each head and role by itself, as the published counts are; a model of many
heads has some that pass by chance only where their true statistic lies at the threshold.
"""

from collections.abc import Sequence
from itertools import chain

import numpy as np
import polars as pl
from jaxtyping import Bool

from analysis.attention.statistics import Neighbours, Ratios, addresses, best_offsets, head_statistics
from analysis.formatting import signed
from analysis.results.readings import READING, HeadSums, Reading
from analysis.roles.rules import Role
from study.record.tables.statistics import OFFSETS
from study.record.units import ADDRESS, HeadLayout

LEVEL = 0.95
"""The level of the one-sided limits."""

ROLE_ROWS = (
    dict.fromkeys(READING, pl.String)
    | {"untrained": pl.Boolean}
    | ADDRESS
    | dict.fromkeys(["role", "rule", "source"], pl.String)
    | dict.fromkeys(["value", "limit", "threshold", "level"], pl.Float64)
    | {"met": pl.Boolean, "decided": pl.Boolean, "detail": pl.String}
)


def roles_table(reading: Reading, every: Sequence[Role], neighbours: Neighbours, groups: str) -> pl.DataFrame:
    """Every role of every head of a reading, by its statistics.

    Returns:
        Columns of the reading; untrained: whether the weights are random; kind, layer, head; role, rule, source; value:
        the statistic; limit: its one-sided limit at `level`; threshold; met: whether the value is beyond the threshold;
        decided: whether the limit is, and the head has the role (null where nothing can be left out); detail: the
        offset of a positional head.
    """
    frame = decide(reading.sums(groups), reading.layout, every, neighbours)
    told = {**reading.names, "untrained": reading.untrained}
    return frame.with_columns(**{name: pl.lit(value) for name, value in told.items()}).select(*ROLE_ROWS)


def decide(sums: HeadSums, layout: HeadLayout, every: Sequence[Role], neighbours: Neighbours) -> pl.DataFrame:
    """The columns of `roles_table` but those of the reading, from the statistics of any sample."""
    frames = [pl.DataFrame(schema={name: kind for name, kind in ROLE_ROWS.items() if name not in OF_READING})]
    statistics = {statistic.name: statistic for statistic in head_statistics(neighbours)}
    known: dict[str, Ratios | None] = {}
    for role in every:
        if role.statistic not in known:
            known[role.statistic] = Ratios.of(statistics[role.statistic], sums, layout)
        ratios = known[role.statistic]
        if ratios is None or np.isnan(ratios.values).all():
            continue
        limit = ratios.limits(2 * (1 - LEVEL))[0 if role.above else 1]
        has = _beyond(limit, role)
        numbers = {"value": ratios.values, "limit": limit}
        suited = pl.Series([role.suits(head.kind) for head in layout.heads])
        frame = addresses(layout).with_columns(
            role=pl.lit(role.name),
            rule=pl.lit(role.rule),
            source=pl.lit(role.source),
            threshold=pl.lit(role.threshold),
            level=pl.lit(LEVEL),
            **{name: pl.Series(values).fill_nan(None) for name, values in numbers.items()},
            met=pl.Series(_beyond(ratios.values, role)),
            decided=pl.Series([None if np.isnan(end) else bool(one) for end, one in zip(limit, has, strict=True)]),
            detail=pl.Series(_details(role, sums, has), dtype=pl.String),
        )
        frames.append(frame.filter(suited).drop_nulls("value").select(frames[0].columns))
    return pl.concat(frames)


OF_READING = (*READING, "untrained")


def _beyond(values: np.ndarray, role: Role) -> Bool[np.ndarray, " heads"]:
    side = values - role.threshold if role.above else role.threshold - values
    with np.errstate(invalid="ignore"):
        return side >= -1e-12 if role.reached else side > 1e-12


def _details(role: Role, sums: HeadSums, has: np.ndarray) -> list[str | None]:
    if role.statistic != "position":
        return [None] * len(has)
    offsets = (signed(float(OFFSETS[at]), 0) for at in best_offsets(sums))
    return [f"offset {offset}" if one else None for offset, one in zip(offsets, has, strict=True)]


CONTROL = pl.DataFrame(schema={"setting_id": pl.String, "special": pl.String, "control": pl.String})
"""Columns setting_id, special; control: setting id of the same model with random weights on the same data."""


def count_roles(table: pl.DataFrame, controls: pl.DataFrame = CONTROL) -> pl.DataFrame:
    """How many heads of each reading have each role, beside how many do with random weights.

    Args:
        table: rows of `roles_table`.
        controls: the control of each reading that has one, as `CONTROL` has it.

    Returns:
        Columns of the reading; untrained, role, rule; heads: how many could have it; met: how many have a value beyond
        the threshold; decided: how many have the role; control: the setting of the same model with random weights on
        the same data; control_met, control_decided: the counts of that one. Null where that was not measured.
    """
    counted = table.group_by(*READING, "untrained", "role", "rule", maintain_order=True).agg(
        heads=pl.len().cast(pl.Int64),
        met=pl.col("met").sum().cast(pl.Int64),
        decided=pl.col("decided").sum().cast(pl.Int64),
    )
    of_control = counted.select("special", "role", control="setting_id", control_met="met", control_decided="decided")
    with_control = counted.join(controls, on=["setting_id", "special"], how="left", maintain_order="left")
    return with_control.join(of_control, on=["control", "special", "role"], how="left", maintain_order="left")


def members(table: pl.DataFrame, layout: HeadLayout) -> dict[str, Bool[np.ndarray, " heads"]]:
    """Which heads have each role that some head has, from the rows of one reading."""
    places = {tuple(head.row.values()): at for at, head in enumerate(layout.heads)}
    found: dict[str, Bool[np.ndarray, " heads"]] = {}
    for row in table.filter("decided").rows(named=True):
        has = found.setdefault(row["role"], np.zeros(len(layout), dtype=bool))
        has[places[tuple(row[name] for name in ADDRESS)]] = True
    return found


def every_reading(tables: Sequence[pl.DataFrame]) -> pl.DataFrame:
    """The rows of several readings, or of none."""
    return pl.concat(chain([pl.DataFrame(schema=ROLE_ROWS)], tables))
