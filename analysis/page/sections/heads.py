"""One head removed: heat maps, figure 1, every head as a table to sort and filter, and table 1 beside the paper's."""

from dataclasses import dataclass

import polars as pl

from analysis import figures
from analysis.attention_kinds import by_kind
from analysis.effects.head_effects import Measure
from analysis.figures import Drawing
from analysis.formatting import head_name, slug
from analysis.page.grid import Grid
from analysis.page.section import Section
from analysis.page.views import DomainView, Row, SubjectView
from analysis.tables.paper_tables import table_1
from study.record.units import Head


@dataclass(frozen=True)
class HeadRow:
    """One head with its effect on each domain."""

    address: str
    kind: str
    layer: int
    head: int
    cells: tuple[Row | None, ...]

    def name(self, several: bool) -> str:
        """The head as the page names it, where its model has several kinds of attention or one."""
        return head_name({"kind": self.kind, "layer": self.layer, "head": self.head}, several)

    @property
    def significant(self) -> bool:
        """Whether its effect is significant on some domain."""
        return any(cell and cell["significant"] for cell in self.cells)


@dataclass(frozen=True)
class Heads(Section):
    """Effects of single heads.

    Attributes:
        distributions: figure 1 of each domain.
        heat_maps: one of each domain and attention kind.
        rows: every head.
        tables: table 1 of each domain of which the paper has one.
        tested: an effect with an interval, which says how those of all were made; None where there is none.
    """

    template, anchor, title = "heads", "heads", "One head removed"
    distributions: tuple[Drawing, ...]
    heat_maps: tuple[Drawing, ...]
    rows: tuple[HeadRow, ...]
    tables: tuple[tuple[DomainView, Grid], ...]
    tested: Row | None

    @classmethod
    def of(cls, subject: SubjectView) -> "Heads | None":
        """The effects on every domain on which single heads were removed."""
        if not subject.compared:
            return None
        distributions, heat_maps, tables = [], [], []
        single = subject.effects.filter(measure=Measure.ABLATION)
        for view in subject.compared:
            label, counts = slug(view.label), view.domain.layout.counts
            distributions.append(figures.distribution(view.ablation, f"{subject.folder}/figure1-{label}", single))
            for kind, part in by_kind(view.ablation):
                name = f"{subject.folder}/heat-{label}-{kind}"
                heat_maps.append(figures.heat_map(part, counts[kind], subject.limit, name))
            table = table_1(subject.effects.filter(view.mine))
            tables.append((view, Grid.of(table, "head", table["head"].unique().sort().to_list())))
        tested = subject.analysis.effects.drop_nulls("low").head(1).rows(named=True)
        return cls(
            tuple(distributions),
            tuple(heat_maps),
            head_rows(subject.effects),
            tuple((view, grid) for view, grid in tables if grid.paper),
            tested[0] if tested else None,
            drawings=(*distributions, *heat_maps),
        )


def head_rows(effects: pl.DataFrame) -> tuple[HeadRow, ...]:
    """Every head that was removed alone somewhere, in the order of heads; a cell for each domain where any was."""
    found: dict[Head, dict[str, Row]] = {}
    single = effects.filter(measure=Measure.ABLATION)
    settings = single["setting_id"].unique(maintain_order=True).to_list()
    for row in single.rows(named=True):
        found.setdefault(Head.from_row(row), {})[row["setting_id"]] = row
    return tuple(
        HeadRow(str(head), head.kind, head.layer, head.index, tuple(map(found[head].get, settings)))
        for head in sorted(found)
    )
