"""Base scores, and what is to be known of the examples and masks that all other numbers are of."""

from dataclasses import dataclass

from analysis.page.section import Section
from analysis.page.views import DomainView, SubjectView


@dataclass(frozen=True)
class BaseScores(Section):
    """Base scores; `incomplete` are the domains on which not every mask was evaluated."""

    template, anchor, title = "base_scores", "base", "Base scores"
    incomplete: tuple[DomainView, ...]

    @classmethod
    def of(cls, subject: SubjectView) -> "BaseScores":
        """Every subject has base scores."""
        return cls(tuple(view for view in subject.domains if not _is_complete(view)))


def _is_complete(view: DomainView) -> bool:
    counts = view.measured
    every = (counts["heads"], counts["heads"], counts["layers"])
    return (counts["ablation"], counts["all_but_one"], counts["no_head"]) == every
