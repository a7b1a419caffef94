"""Variance components: how much of an effect belongs to the head, its layer, the domain, the seed, and to noise."""

from collections.abc import Iterator
from dataclasses import dataclass

import polars as pl

from analysis import figures
from analysis.components import VarianceComponents
from analysis.components.tables import divided, shown_in
from analysis.compute import Analysis
from analysis.figures import Drawing
from analysis.formatting import slug
from analysis.page.section import Section
from analysis.page.views import Row

FOLDER = "components"
"""Folder of its figures."""


@dataclass(frozen=True)
class Components(Section):
    """The components of every grid, as numbers and as a small forest.

    Attributes:
        unit: the unit in which variances are shown.
        grids: rows of components by the name of their grid.
        sentences: a sentence to quote for each grid.
    """

    template, anchor, title = "components", "components", "What an effect belongs to: head, domain, seed"
    link = "Components"
    unit: str
    grids: tuple[tuple[str, tuple[Row, ...]], ...]
    sentences: tuple[str, ...]

    @classmethod
    def of(cls, analysis: Analysis) -> "Components | None":
        """The section, where cells were compared along axes that components can be told of."""
        found = analysis.components
        return None if found is None or not found.sentences else cls.showing(found)

    @classmethod
    def showing(cls, found: VarianceComponents) -> "Components":
        """The section of these components, their figures drawn."""
        unit, by = shown_in(found.table)
        grids = tuple(
            (str(name), tuple(row | divided(row, by) for row in own.rows(named=True)))
            for (name,), own in _by_grid(found)
        )
        return cls(unit, grids, found.sentences, drawings=tuple(_drawings(found)))


def _by_grid(found: VarianceComponents) -> Iterator[tuple[tuple[object, ...], pl.DataFrame]]:
    yield from found.table.group_by("grid", maintain_order=True)


def _drawings(found: VarianceComponents) -> Iterator[Drawing]:
    for (name,), own in _by_grid(found):
        if own["share"].null_count() == 0:
            yield figures.component_rows(own, str(name), f"{FOLDER}/{slug(str(name))}")
