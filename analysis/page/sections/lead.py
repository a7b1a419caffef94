"""The lead of a subject: what was studied and what came out, in words that the numbers write."""

from dataclasses import dataclass

from analysis.page.section import Section
from analysis.page.views import Row, SubjectView, pair_rows


@dataclass(frozen=True)
class Lead(Section):
    """The correlations between domains that the lead has a sentence about; all else is of the subject."""

    template = "lead"
    correlations: tuple[Row, ...]

    @classmethod
    def of(cls, subject: SubjectView) -> "Lead":
        """Every subject has a lead."""
        known = subject.analysis.correlations.overall.drop_nulls("pearson")
        return cls(pair_rows(known, subject.labels))
