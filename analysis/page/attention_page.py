"""The page of sentences that were only read: what heads look at and their roles, where there is no score at all."""

from collections.abc import Sequence
from dataclasses import dataclass

from analysis.figures import Drawing
from analysis.page.environment import page_environment
from analysis.page.section import Section
from analysis.page.sections.attention.attention_maps import AttentionMaps
from analysis.page.sections.attention.clusters import Clusters
from analysis.page.sections.attention.parsers import Parsers
from analysis.page.sections.attention.roles import Roles
from analysis.roles import HeadAttention


@dataclass(frozen=True)
class AttentionPage:
    """The page of readings without outcomes.

    Attributes:
        sections: what it shows.
        left_out: what could not be read, in words.
        level: probability that its intervals hold.
    """

    sections: Sequence[Section]
    left_out: tuple[str, ...]
    level: float

    @classmethod
    def of(cls, found: HeadAttention, left_out: tuple[str, ...] = ()) -> "AttentionPage":
        """The page of these readings, its figures drawn."""
        sections = (
            AttentionMaps.showing(found),
            Parsers.showing(found.syntax),
            Roles.showing(found),
            Clusters.showing(found),
        )
        return cls([section for section in sections if section is not None], left_out, 1 - found.alpha)

    @property
    def drawings(self) -> list[Drawing]:
        """Every figure of the page."""
        return [drawing for section in self.sections for drawing in section.drawings]

    def html(self, *, pdf: bool = False) -> str:
        """The page, self-contained; `pdf` says whether every figure lies beside it as PDF."""
        return page_environment(self.level, pdf=pdf).get_template("attention.html.j2").render(page=self, labels={})
