"""The page of tables made elsewhere: how far domains agree, and the number of each head; of noise it says nothing."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from analysis import figures
from analysis.correlation import Correlations, DomainEffects
from analysis.effects.head_effects import Measure
from analysis.figures import Drawing
from analysis.formatting import slug
from analysis.page.agreement import Agreement, agreement
from analysis.page.grids import by_kind
from analysis.page.render import page_environment

WITHOUT_OUTCOMES = (
    "No outcomes of examples are known of these tables, so that there is no interval over examples, no r of the true "
    "effects and no noise ceiling. The interval over heads says how r would be in other heads like these."
)

MOST_MAPS = 12
"""Domains of a subject whose heads are drawn."""

MOST_DRAWN = 15
"""Pairs of domains of a subject (six domains) that have figures of their own; of more there is the map."""


@dataclass(frozen=True)
class ImportedView:
    """One subject of tables made elsewhere, as the page shows it."""

    label: str
    subject_id: str
    unit: str
    matters: str
    heads: int
    domains: tuple[str, ...]
    limit: float
    maps: tuple[Drawing, ...]
    agreement: Agreement

    @property
    def drawings(self) -> tuple[Drawing, ...]:
        """Every figure of the subject."""
        return (*self.maps, *self.agreement.scatters, *self.agreement.maps)


def imported_views(found: Correlations, domains: Sequence[DomainEffects]) -> list[ImportedView]:
    """The view of every subject."""
    subjects: dict[str, list[DomainEffects]] = {}
    for domain in domains:
        subjects.setdefault(domain.names["subject_id"], []).append(domain)
    return [_view(found.of_subject(subject_id), own) for subject_id, own in subjects.items()]


def render_imported(views: Sequence[ImportedView], files: Sequence[Path], level: float) -> str:
    """The page, self-contained.

    Args:
        views: of every subject.
        files: that the tables were read from.
        level: of the intervals over heads.
    """
    template = page_environment(level).get_template("imported.html.j2")
    names = [file.name for file in files]
    return template.render(subjects=views, files=names, without_outcomes=WITHOUT_OUTCOMES)


def _view(found: Correlations, domains: Sequence[DomainEffects]) -> ImportedView:
    first = domains[0]
    rows = pl.DataFrame([row for domain in domains for row in _rows(domain)])
    labels = {domain.names["setting_id"]: domain.domain for domain in domains}
    folder, limit = slug(f"imported-{first.names['subject']}"), figures.colour_limit(rows)
    return ImportedView(
        label=first.names["subject"],
        subject_id=slug(first.names["subject_id"]),
        unit=first.names["metric"],
        matters=f"The {'largest' if first.importance else 'lowest'} matter most.",
        heads=max(len(domain.heads) for domain in domains),
        domains=tuple(domain.domain for domain in domains),
        limit=limit,
        maps=tuple(drawing for domain in domains[:MOST_MAPS] for drawing in _maps(rows, domain, limit, folder)),
        agreement=agreement(found, rows, labels, folder, drawn=found.overall.height <= MOST_DRAWN),
    )


def _rows(domain: DomainEffects) -> list[dict[str, Any]]:
    """The numbers of a domain as the tidy table of effects has them."""
    names = {**domain.names, "measure": str(Measure.ABLATION), "unit": domain.names["metric"]}
    return [
        {**names, **head.row, "effect": float(effect)}
        for head, effect in zip(domain.heads, domain.effects, strict=True)
    ]


def _maps(rows: pl.DataFrame, domain: DomainEffects, limit: float, folder: str) -> list[Drawing]:
    own = rows.filter(setting_id=domain.names["setting_id"])
    layers = range(own["layer"].max() + 1)  # type: ignore[operator]
    drawn = []
    for kind, part in by_kind(own):
        widest = {layer: 1 + max(part.filter(layer=layer)["head"], default=-1) for layer in layers}
        counts = [max(1, widest[layer]) for layer in layers]
        drawn.append(figures.heat_map(part, counts, limit, f"{folder}/heat-{slug(domain.domain)}-{kind}"))
    return drawn
