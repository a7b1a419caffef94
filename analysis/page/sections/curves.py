"""Heads removed a share at a time: figures 3 and 4, and what each curve comes to as a number."""

from collections.abc import Iterator
from dataclasses import dataclass

import polars as pl

from analysis import figures
from analysis.curves.bands import mean_curves
from analysis.curves.order_names import units_removed
from analysis.effects.head_effects import ALL_KINDS
from analysis.figures import Drawing
from analysis.formatting import slug
from analysis.page.section import Section
from analysis.page.views import DomainView, Row, SubjectView
from study.record.units import UnitLevel


@dataclass(frozen=True)
class Curves(Section):
    """What each pruning curve comes to, and the difference of every two.

    Attributes:
        units: what is removed: heads, groups, layers or MLPs, two or more of them.
    """

    template, anchor, title = "curves", "curves", "Pruning curves"
    rows: tuple[tuple[DomainView, Row], ...]
    contrasts: tuple[tuple[DomainView, Row], ...]
    units: str

    @classmethod
    def of(cls, subject: SubjectView) -> "Curves | None":
        """The curves of every domain, where there is any."""
        analysis, drawings, rows, contrasts = subject.analysis, [], [], []
        means = mean_curves(analysis.points.filter(subject.mine))
        for view in subject.domains:
            drawings += _drawings(means.filter(view.mine), view.label, subject.folder, means)
            rows += [(view, row) for row in analysis.curves.filter(view.mine).rows(named=True)]
            contrasts += [(view, row) for row in analysis.contrasts.filter(view.mine).rows(named=True)]
        return cls(tuple(rows), tuple(contrasts), units_removed(means), drawings=tuple(drawings)) if rows else None


def _drawings(means: pl.DataFrame, label: str, folder: str, compared: pl.DataFrame) -> Iterator[Drawing]:
    """Figure 3, the orders of all heads; figure 4, each order within one attention kind only, and of MLPs."""
    whole = means.filter(pl.col("kinds") == ALL_KINDS)
    if whole.height:
        yield figures.pruning_curves(whole, "curve", label, f"{folder}/figure3-{slug(label)}", compared)
    for (curve,), part in means.filter(pl.col("kinds") != ALL_KINDS).group_by("curve", maintain_order=True):
        name = f"{folder}/figure4-{slug(label)}-{slug(str(curve))}"
        kind = "" if set(part["kinds"]) == {UnitLevel.mlp} else "one kind only, "
        yield figures.pruning_curves(part, "kinds", f"{label}, {kind}by {curve}", name, compared)
