"""One head left in a layer, or none: tables 2 and 3 beside the paper's, with the control of no head at all."""

from dataclasses import dataclass

import polars as pl

from analysis import figures
from analysis.attention_kinds import by_kind
from analysis.effects.head_effects import Measure
from analysis.formatting import slug
from analysis.page.grid import Grid
from analysis.page.section import Section
from analysis.page.views import DomainView, Row, SubjectView
from analysis.tables.paper_tables import one_head_left


@dataclass(frozen=True)
class Layers(Section):
    """Effects of leaving one head in a layer, and none; table 2 or 3 of each domain."""

    template, anchor, title = "layers", "layers", "One head per layer"
    tables: tuple[tuple[DomainView, Grid], ...]
    effects: pl.DataFrame

    @classmethod
    def of(cls, subject: SubjectView) -> "Layers | None":
        """The effects on every domain, where some head was left alone on any."""
        drawings = tuple(
            figures.one_head_against_none(
                part,
                view.effects.filter(measure=Measure.NO_HEAD, kind=str(kind)),
                f"{subject.folder}/one-head-{slug(view.label)}-{kind}",
                subject.effects.filter(pl.col("measure") != Measure.ABLATION, kind=str(kind)),
            )
            for view in subject.domains
            for kind, part in by_kind(view.effects.filter(measure=Measure.ALL_BUT_ONE))
        )
        found = [(view, one_head_left(subject.effects.filter(view.mine))) for view in subject.domains]
        grids = ((view, Grid.of(table, "kind", [kind for kind, _ in by_kind(table)])) for view, table in found)
        tables = tuple((view, grid) for view, grid in grids if grid.layers)
        return cls(tables, subject.effects, drawings=drawings) if drawings else None

    def effect(self, row: Row, measure: str) -> Row | None:
        """The row of effects that a cell was taken from: of its best head left alone, or of no head in its layer."""
        head = row["best_head"] if measure == Measure.ALL_BUT_ONE else None
        place = {name: row[name] for name in ("setting_id", "kind", "layer")}
        found = self.effects.filter(pl.col("head").eq_missing(pl.lit(head)), measure=measure, **place)
        return next(iter(found.rows(named=True)), None)
