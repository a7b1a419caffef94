"""Importance of heads, by the paper's estimator, against what removing them costs."""

from dataclasses import dataclass

from analysis.page.section import Section
from analysis.page.views import DomainView, Row, SubjectView
from study.record.importance import Estimator
from study.record.loss import PLAIN


@dataclass(frozen=True)
class Importance(Section):
    """Rank correlations of importance and cost on each domain."""

    template, anchor, title = "importance", "importance", "Importance"
    rows: tuple[tuple[DomainView, Row], ...]

    @classmethod
    def of(cls, subject: SubjectView) -> "Importance | None":
        """The paper's estimator on every domain with gradients, of the plain loss where these are stored."""
        rows = []
        for view in subject.domains:
            every = subject.analysis.taylor.filter(view.mine, estimator=str(Estimator.paper))
            plain = every.filter(loss=str(PLAIN))
            rows += [(view, row) for row in (plain if plain.height else every).rows(named=True)]
        return cls(tuple(rows)) if rows else None
