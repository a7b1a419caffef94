"""Groups, layers and MLPs, each removed as a whole, beside the sum of their heads: what single heads cannot show."""

from collections.abc import Iterator
from dataclasses import dataclass

import polars as pl

from analysis import figures
from analysis.attention_kinds import by_kind
from analysis.figures import Drawing
from analysis.formatting import slug, unit_name
from analysis.page.claims import Claim
from analysis.page.section import Section
from analysis.page.views import Row, SubjectView
from study.record.units import UnitLevel

TITLES = {
    UnitLevel.group: "Groups of heads that share keys and values",
    UnitLevel.layer: "Whole attention layers",
    UnitLevel.mlp: "MLPs",
}


@dataclass(frozen=True)
class UnitRow:
    """One unit with its row of `Analysis.units` on each domain; None where it was not removed."""

    address: str
    name: str
    cells: tuple[Row | None, ...]


@dataclass(frozen=True)
class Level:
    """The units of one level.

    Attributes:
        level: which.
        title: its heading.
        noun: what one of them is called.
        domains: labels of the domains on which some were removed.
        rows: every unit.
        added: whether the sum of heads is known of some.
        heat_maps: groups by layers, of each domain.
        intervals: each unit with its interval, of each domain.
    """

    level: UnitLevel
    title: str
    noun: str
    domains: tuple[str, ...]
    rows: tuple[UnitRow, ...]
    added: bool
    heat_maps: tuple[Drawing, ...]
    intervals: tuple[Drawing, ...]


@dataclass(frozen=True)
class Units(Section):
    """Every level of which some unit was removed.

    Attributes:
        levels: groups, layers, MLPs.
        claims: whether heads add up to their group, and to their layer.
    """

    template, anchor = "units", "units"
    link = "Groups and MLPs"
    levels: tuple[Level, ...]
    claims: tuple[Claim, ...]

    @property
    def title(self) -> str:  # pyright: ignore[reportIncompatibleVariableOverride] of what there is
        """`Beyond single heads: groups, layers, MLPs`."""
        return f"Beyond single heads: {', '.join(level.level.plural for level in self.levels)}"

    @classmethod
    def of(cls, subject: SubjectView) -> "Units | None":
        """The units of a subject; None where none were removed."""
        found = [level for name in TITLES if (level := _level(subject, name))]
        drawings = tuple(drawing for level in found for drawing in (*level.heat_maps, *level.intervals))
        return cls(tuple(found), subject.beyond, drawings=drawings) if found else None


def _level(subject: SubjectView, level: UnitLevel) -> Level | None:
    units = subject.units.filter(level=str(level))
    if units.is_empty():
        return None
    domains = {id_: label for id_, label in subject.labels.items() if units.filter(setting_id=id_).height}
    cells = {(row["address"], row["setting_id"]): row for row in units.rows(named=True)}
    names = {row["address"]: unit_name(row, subject.several) for row in units.rows(named=True)}
    named = units.with_columns(domain=pl.col("setting_id").replace(domains))
    maps = tuple(_heat_maps(subject, named)) if level is UnitLevel.group else ()
    rows = [
        UnitRow(address, name, tuple(cells.get((address, id_)) for id_ in domains)) for address, name in names.items()
    ]
    return Level(
        level=level,
        title=TITLES[level],
        noun="MLP" if level is UnitLevel.mlp else str(level),
        domains=tuple(domains.values()),
        rows=tuple(rows),
        added=bool(units["sum"].is_not_null().any()),
        heat_maps=maps,
        intervals=tuple(_intervals(subject, named, level)),
    )


def _heat_maps(subject: SubjectView, units: pl.DataFrame) -> Iterator[Drawing]:
    limit = figures.colour_limit(units)
    layout = subject.layout
    for (label,), own in units.group_by("domain", maintain_order=True):
        for kind, part in by_kind(own):
            name = f"{subject.folder}/heat-groups-{slug(str(label))}-{kind}"
            yield figures.group_heat_map(part, layout.groups[kind], limit, name)


def _intervals(subject: SubjectView, units: pl.DataFrame, level: UnitLevel) -> Iterator[Drawing]:
    for (label,), own in units.group_by("domain", maintain_order=True):
        yield figures.unit_rows(own, str(label), f"{subject.folder}/{level}s-{slug(str(label))}")
