"""Whether single heads tell what larger units do: a verdict by intervals, and the numbers that it follows from."""

from collections.abc import Mapping

import polars as pl

from analysis.formatting import effect, interval, unit_name
from analysis.page.claims import Claim
from analysis.page.verdicts import Finding, verdict
from study.record.units import UnitLevel

LEVELS = (UnitLevel.group, UnitLevel.layer)
"""Units that have heads."""


def adding_up(units: pl.DataFrame, labels: Mapping[str, str]) -> tuple[Claim, ...]:
    """What can be said of groups, and of layers, of one subject.

    Args:
        units: its rows of `analysis.effects.unit_effects.effect_tables`.
        labels: names of its domains by setting id.
    """
    found = (_claim(level, units.filter(level=str(level)), labels) for level in LEVELS)
    return tuple(claim for claim in found if claim.findings)


def _claim(level: UnitLevel, units: pl.DataFrame, labels: Mapping[str, str]) -> Claim:
    own = [
        (label, units.filter(pl.col("heads") > 1, setting_id=id_).drop_nulls("excess_p"))
        for id_, label in labels.items()
    ]
    return Claim(
        f"What heads cost one by one adds up to what their {level} costs.",
        f"Heads add up to their {level}",
        f"Fails where the effect of some {level} differs significantly, corrected over all of them, from the sum of "
        "the effects of its heads; holds where every difference is shown to be within the margin.",
        tuple(_finding(label, rows) for label, rows in own if rows.height),
    )


def _finding(label: str, rows: pl.DataFrame) -> Finding:
    level, several = UnitLevel(rows["level"][0]), rows["kind"].n_unique() > 1
    sure = rows.filter("excess_significant")
    costly = rows.filter(pl.col("significant"), pl.col("effect") < 0)
    hidden = costly.filter(heads_significant=0).height
    largest = rows.sort(pl.col("excess").abs(), descending=True, maintain_order=True).row(0, named=True)
    unit = largest["unit"]
    between = interval({name: largest[f"excess_{name}"] for name in ("low", "high")}, unit=unit)
    none = f"; in {hidden} of these no head does so alone" if hidden else ""
    differ = f"{sure.height} differ" if sure.height > 1 else f"{sure.height or 'None'} differs"
    whose = "their" if sure.height > 1 else "its"
    because = (
        f"Removing {costly.height} of {rows.height} {level.plural} costs significantly{none}. {differ} significantly "
        f"from the sum of the effects of {whose} heads. The difference is largest in {unit_name(largest, several)}: "
        f"{effect(largest)} {unit} as a whole, {effect(largest, 'sum')} as the sum of its {largest['heads']} "
        f"heads, {effect(largest, 'excess')}{between}."
    )
    return Finding(label, verdict(bool(rows["excess_equivalent"].all()), sure.height > 0), because)
