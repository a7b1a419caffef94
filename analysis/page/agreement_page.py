"""The page of kept sets that stand in no results folder, or in several: how far they agree."""

from collections.abc import Sequence
from dataclasses import dataclass

from analysis.agreement import Agreement
from analysis.figures import Drawing
from analysis.page.environment import page_environment
from analysis.page.sections.across.agreement import FOLDER
from analysis.page.sections.across.agreement import Agreement as AgreementSection

LEVEL = 0.95


@dataclass(frozen=True)
class AgreementPage:
    """The page of kept sets.

    Attributes:
        section: what it shows.
        sources: names of the files and folders that the sets were read from.
    """

    section: AgreementSection
    sources: tuple[str, ...]

    @classmethod
    def of(cls, found: Agreement, sources: Sequence[str], made: str) -> "AgreementPage":
        """The page of these sets, its figures drawn; `made` says how they came about."""
        return cls(AgreementSection.showing(found, FOLDER, made), tuple(sources))

    @property
    def drawings(self) -> list[Drawing]:
        """Every figure of the page."""
        return list(self.section.drawings)

    def html(self, *, pdf: bool = False) -> str:
        """The page, self-contained; `pdf` says whether every figure lies beside it as PDF."""
        template = page_environment(LEVEL, pdf=pdf).get_template("agreement.html.j2")
        return template.render(page=self, section=self.section, labels={"kept": "Kept heads"}, title=self.section.title)
