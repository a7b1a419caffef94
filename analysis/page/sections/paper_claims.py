"""Which claims of the paper hold on the domains of a subject."""

from dataclasses import dataclass

from analysis.page.claims import Claim
from analysis.page.section import Section
from analysis.page.views import SubjectView


@dataclass(frozen=True)
class PaperClaims(Section):
    """The claims of the paper with their verdicts."""

    template, anchor, title = "paper_claims", "claims", "Claims of the paper"
    link = "Claims"
    claims: tuple[Claim, ...]

    @classmethod
    def of(cls, subject: SubjectView) -> "PaperClaims | None":
        """The claims that its domains say something about."""
        return cls(subject.claims) if subject.claims else None
