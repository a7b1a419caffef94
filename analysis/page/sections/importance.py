"""Importance of heads and other units, by the paper's estimator and with its sign, against what removing them costs."""

from dataclasses import dataclass

from analysis.page.section import Section
from analysis.page.views import DomainView, Row, SubjectView
from study.record.importance import Estimator, Normalisation
from study.record.loss import PLAIN
from study.record.units import UnitLevel

SHOWN = {
    (Estimator.paper, Normalisation.none): "size",
    (Estimator.paper, Normalisation.layer_l2): "size, normalised within layers",
    (Estimator.signed, Normalisation.none): "with its sign",
}
"""Estimators that the page shows, by their names there."""


@dataclass(frozen=True)
class Importance(Section):
    """Correlations of importance and cost on each domain.

    Attributes:
        rows: a domain, its units, what stands for their importance, and the numbers.
    """

    template, anchor, title = "importance", "importance", "Importance"
    rows: tuple[tuple[DomainView, str, str, Row], ...]

    @classmethod
    def of(cls, subject: SubjectView) -> "Importance | None":
        """Every domain with gradients, of the plain loss where these are stored."""
        rows = []
        for view in subject.domains:
            every = subject.analysis.taylor.filter(view.mine)
            plain = every.filter(loss=str(PLAIN))
            for row in (plain if plain.height else every).rows(named=True):
                name = SHOWN.get((Estimator(row["estimator"]), Normalisation(row["normalisation"])))
                units = f"{row['heads']} {UnitLevel(row['units']).plural}"
                rows += [(view, units, name, row)] if name else []
        return cls(tuple(rows)) if rows else None
