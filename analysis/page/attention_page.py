"""The page of sentences that were only read: what heads look at and their roles, where there is no score at all."""

from collections.abc import Sequence
from dataclasses import dataclass

import polars as pl

from analysis.figures import Drawing
from analysis.page.environment import page_environment
from analysis.page.section import Section
from analysis.page.sections.attention.attention_maps import AttentionMaps
from analysis.page.sections.attention.clusters import Clusters
from analysis.page.sections.attention.parsers import Parsers
from analysis.page.sections.attention.probe import Probe
from analysis.page.sections.attention.roles import Roles
from analysis.roles import HeadAttention
from analysis.syntax.probe_scores import Probes


@dataclass(frozen=True)
class AttentionPage:
    """The page of readings without outcomes.

    Attributes:
        sections: what it shows.
        left_out: what could not be read, in words.
        level: probability that its intervals hold.
        found: what heads look at; None where that was not measured.
        probes: what probes find; None where none was trained.
    """

    sections: Sequence[Section]
    left_out: tuple[str, ...]
    level: float
    found: HeadAttention | None
    probes: Probes | None

    @classmethod
    def of(
        cls, found: HeadAttention | None, probes: Probes | None = None, left_out: tuple[str, ...] = ()
    ) -> "AttentionPage":
        """The page of these readings, at least one, its figures drawn."""
        looks = () if found is None else (AttentionMaps.showing(found), Parsers.showing(found.syntax))
        roles = () if found is None else (Roles.showing(found), Clusters.showing(found))
        sections = [section for section in (*looks, Probe.showing(probes), *roles) if section is not None]
        alpha = next(each.alpha for each in (found, probes) if each is not None)
        return cls(sections, left_out, 1 - alpha, found, probes)

    @property
    def tables(self) -> dict[str, pl.DataFrame]:
        """Every table under the name of its file."""
        return {name: table for each in (self.found, self.probes) if each for name, table in each.tables.items()}

    @property
    def drawings(self) -> list[Drawing]:
        """Every figure of the page."""
        return [drawing for section in self.sections for drawing in section.drawings]

    def html(self, *, pdf: bool = False) -> str:
        """The page, self-contained; `pdf` says whether every figure lies beside it as PDF."""
        return page_environment(self.level, pdf=pdf).get_template("attention.html.j2").render(page=self, labels={})
