"""Roles: which heads have which, by which rule, and how many a model with random weights has."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import polars as pl

from analysis.compute import Analysis
from analysis.formatting import head_name
from analysis.page.section import Section
from analysis.results.readings import Reading, trained
from analysis.roles import HeadAttention
from analysis.roles.words import named, role_title, roles_words


@dataclass(frozen=True)
class RoleRow:
    """One role in one reading.

    Attributes:
        title: what people call such heads.
        rule: when a head has it.
        source: who introduced it, and whose the threshold is.
        heads: how many could have it.
        decided: how many have it.
        met: how many have a value beyond the threshold, whatever its limit.
        random: how many have it with random weights; None where that was not measured.
        names: the heads that have it.
    """

    title: str
    rule: str
    source: str
    heads: int
    decided: int
    met: int
    random: int | None
    names: str


@dataclass(frozen=True)
class ReadingRoles:
    """The roles of one reading.

    Attributes:
        label: model and data.
        sentence: what they come to.
        has_control: whether they were counted with random weights, too.
        rows: every role that some head has, or could have.
    """

    label: str
    sentence: str
    has_control: bool
    rows: tuple[RoleRow, ...]


@dataclass(frozen=True)
class Roles(Section):
    """The roles of every reading of a trained model; one sentence and one table each."""

    template, anchor, title, link = "attention/roles", "roles", "The roles that heads play", "Roles"
    readings: tuple[ReadingRoles, ...]
    level: float
    without_control: bool

    @classmethod
    def of(cls, analysis: Analysis) -> "Roles | None":
        """None where it was not measured what heads look at."""
        return None if analysis.attention is None else cls.showing(analysis.attention)

    @classmethod
    def showing(cls, found: HeadAttention) -> "Roles | None":
        """The section of these readings; None where no statistic decides a role."""
        if found.assigned.is_empty():
            return None
        readings = tuple(_reading(found, reading) for reading in trained(found.readings))
        return cls(readings, found.assigned["level"][0], not all(each.has_control for each in readings))


def _reading(found: HeadAttention, reading: Reading) -> ReadingRoles:
    own, counts = found.assigned.filter(**reading.names), found.counts.filter(**reading.names)
    parts = {str(role): part for (role,), part in own.group_by("role", maintain_order=True)}
    rows = tuple(_row(parts[count["role"]], count) for count in counts.rows(named=True))
    return ReadingRoles(reading.label, roles_words(found, reading), found.control_of(reading) is not None, rows)


def _row(rows: pl.DataFrame, count: Mapping[str, Any]) -> RoleRow:
    several, first = rows["kind"].n_unique() > 1, rows.row(0, named=True)
    having = rows.filter("decided")
    names = [
        head_name(row, several) + (f" ({row['detail']})" if row["detail"] else "") for row in having.rows(named=True)
    ]
    return RoleRow(
        title=role_title(count["role"]),
        rule=first["rule"],
        source=first["source"],
        heads=count["heads"],
        decided=count["decided"],
        met=count["met"],
        random=count["control_decided"],
        names=named(names),
    )
