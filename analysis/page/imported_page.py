"""The page of tables made elsewhere: how far domains agree, and the number of each head; of noise it says nothing."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from analysis import figures
from analysis.attention_kinds import by_kind
from analysis.correlation import Correlations, DomainEffects
from analysis.effects.head_effects import Measure
from analysis.figures import Drawing
from analysis.formatting import slug
from analysis.page.environment import page_environment
from analysis.page.sections.correlation import Correlation

WITHOUT_OUTCOMES = (
    "No outcomes of examples are known of these tables, so that there is no interval over examples, no r of the true "
    "effects and no noise ceiling. The interval over heads says how r would be in other heads like these."
)

MOST_MAPS = 12
"""Domains of a subject whose heads are drawn."""

MOST_DRAWN = 15
"""Pairs of domains of a subject (six domains) that have figures of their own; of more there is the map."""


@dataclass(frozen=True)
class ImportedSubject:
    """One subject of tables made elsewhere; colours saturate at the number `limit`."""

    label: str
    subject_id: str
    unit: str
    matters: str
    heads: int
    domains: tuple[str, ...]
    limit: float
    maps: tuple[Drawing, ...]
    correlation: Correlation | None

    @classmethod
    def of(cls, found: Correlations, domains: Sequence[DomainEffects]) -> "ImportedSubject":
        """The subject that all of these domains are of."""
        first = domains[0]
        rows = pl.DataFrame([row for domain in domains for row in _rows(domain)])
        labels = {domain.names["setting_id"]: domain.domain for domain in domains}
        folder, limit = slug(f"imported-{first.names['subject']}"), figures.colour_limit(rows)
        return cls(
            label=first.names["subject"],
            subject_id=slug(first.names["subject_id"]),
            unit=first.names["metric"],
            matters=f"The {'largest' if first.importance else 'lowest'} matter most.",
            heads=max(len(domain.heads) for domain in domains),
            domains=tuple(domain.domain for domain in domains),
            limit=limit,
            maps=tuple(drawing for domain in domains[:MOST_MAPS] for drawing in _maps(rows, domain, limit, folder)),
            correlation=Correlation.between(found, rows, labels, folder, drawn=found.overall.height <= MOST_DRAWN),
        )

    @property
    def drawings(self) -> tuple[Drawing, ...]:
        """Every figure of the subject."""
        return self.maps + (self.correlation.drawings if self.correlation else ())


@dataclass(frozen=True)
class ImportedPage:
    """The page of tables made elsewhere.

    Attributes:
        subjects: every subject.
        files: names of the files that the tables were read from.
        level: level of the intervals over heads.
    """

    subjects: tuple[ImportedSubject, ...]
    files: tuple[str, ...]
    level: float

    @classmethod
    def of(
        cls, found: Correlations, domains: Sequence[DomainEffects], files: Sequence[Path], level: float
    ) -> "ImportedPage":
        """The page of these domains, its figures drawn."""
        subjects: dict[str, list[DomainEffects]] = {}
        for domain in domains:
            subjects.setdefault(domain.names["subject_id"], []).append(domain)
        views = (ImportedSubject.of(found.select(subject_id), own) for subject_id, own in subjects.items())
        return cls(tuple(views), tuple(file.name for file in files), level)

    @property
    def drawings(self) -> list[Drawing]:
        """Every figure of the page."""
        return [drawing for subject in self.subjects for drawing in subject.drawings]

    def html(self, *, pdf: bool = False) -> str:
        """The page, self-contained; it links to figures as PDF if there are."""
        template = page_environment(self.level, pdf=pdf).get_template("imported.html.j2")
        labels = {subject.subject_id: subject.label for subject in self.subjects}
        return template.render(page=self, labels=labels, without_outcomes=WITHOUT_OUTCOMES)


def _rows(domain: DomainEffects) -> list[dict[str, Any]]:
    """The numbers of a domain as the tidy table of effects has them."""
    names = {**domain.names, "measure": str(Measure.ABLATION), "unit": domain.names["metric"]}
    return [
        {**names, **head.row, "effect": float(effect)}
        for head, effect in zip(domain.heads, domain.effects, strict=True)
    ]


def _maps(rows: pl.DataFrame, domain: DomainEffects, limit: float, folder: str) -> list[Drawing]:
    own = rows.filter(setting_id=domain.names["setting_id"])
    drawn = []
    for kind, part in by_kind(own):
        last = dict(part.group_by("layer").agg(pl.col("head").max()).iter_rows())
        counts = [1 + last.get(layer, 0) for layer in range(own["layer"].max() + 1)]  # type: ignore[operator]
        drawn.append(figures.heat_map(part, counts, limit, f"{folder}/heat-{slug(domain.domain)}-{kind}"))
    return drawn
