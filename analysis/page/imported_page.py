"""The page of tables made elsewhere: how far domains agree, and the number of each head or group; of noise nothing."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from analysis import figures
from analysis.attention_kinds import by_kind
from analysis.correlation import Correlations, DomainEffects
from analysis.defaults import DEFAULTS
from analysis.effects.head_effects import Measure
from analysis.figures import Drawing
from analysis.formatting import decimal, slug
from analysis.page.claims import same_heads_claim
from analysis.page.environment import page_environment
from analysis.page.sections.correlation import Correlation
from analysis.page.sections.first_screen import Answer, small_scatters
from analysis.page.tiles import MOST_NUMBERS, Number, Tile, agreement_tile
from analysis.page.views import pair_rows
from study.record.units import UnitLevel

WITHOUT_OUTCOMES = (
    "No outcomes of examples are known of these tables, so that there is no interval over examples, no r of the true "
    "effects and no noise ceiling. The interval over heads says how r would be in other heads like these."
)

MOST_MAPS = 12
"""Domains of a subject whose heads are drawn."""

LEADING = 10
"""Most important heads whose overlap is counted, where there are so many."""

MOST_DRAWN = 15
"""Pairs of domains of a subject (six domains) that have figures of their own; of more there is the map."""


@dataclass(frozen=True)
class ImportedSubject:
    """One subject of tables made elsewhere.

    Attributes:
        label: its name.
        subject_id: what it is known by.
        unit: what the numbers are, such as `effect`; of several measures their names.
        limit: the number at which colours saturate; None where each domain has a measure, and a scale, of its own.
        level: whether the numbers are of heads or of groups.
        answer: what one sees first.
        maps: the numbers of each domain.
        correlation: how far the domains agree; None where nothing was compared.
    """

    label: str
    subject_id: str
    unit: str
    limit: float | None
    level: UnitLevel
    answer: Answer
    maps: tuple[Drawing, ...]
    correlation: Correlation | None

    @classmethod
    def of(cls, found: Correlations, domains: Sequence[DomainEffects], least_r: float) -> "ImportedSubject":
        """The subject that all of these domains are of; `least_r` as for `analyse`."""
        first = domains[0]
        rows = pl.DataFrame([row for domain in domains for row in _rows(domain)])
        labels = {domain.names["setting_id"]: domain.domain for domain in domains}
        folder, level = slug(f"imported-{first.names['subject']}"), first.level
        measures = list(dict.fromkeys(domain.names["metric"] for domain in domains))
        limits = {
            domain.domain: figures.colour_limit(rows if len(measures) == 1 else rows.filter(domain=domain.domain))
            for domain in domains
        }
        pairs = pair_rows(found.overall.drop_nulls("pearson"), labels)
        scatters = small_scatters(pairs[:1], rows, folder)
        named = " and ".join(measures)
        shape = f"{level.plural.capitalize()} by {named}: the {'largest' if first.importance else 'lowest'} matter most"
        answer = Answer(
            shape=shape,
            tiles=(
                _heads_tile(domains),
                agreement_tile(pairs),
                *_leading_tile(pair_rows(found.overlap, labels)),
            ),
            claims=same_heads_claim(pairs, found, least_r) if len(pairs) <= MOST_DRAWN else (),
            pictures=(_small_map(rows, first, limits[first.domain], folder), *scatters),
        )
        return cls(
            label=first.names["subject"],
            subject_id=slug(first.names["subject_id"]),
            unit=named,
            limit=limits[first.domain] if len(measures) == 1 else None,
            level=level,
            answer=answer,
            maps=tuple(
                drawing
                for domain in domains[:MOST_MAPS]
                for drawing in _maps(rows, domain, limits[domain.domain], folder)
            ),
            correlation=Correlation.between(found, rows, labels, folder, drawn=found.overall.height <= MOST_DRAWN),
        )

    @property
    def drawings(self) -> tuple[Drawing, ...]:
        """Every figure of the subject."""
        return self.answer.pictures + self.maps + (self.correlation.drawings if self.correlation else ())


@dataclass(frozen=True)
class ImportedPage:
    """The page of tables made elsewhere.

    Attributes:
        subjects: every subject.
        files: names of the files that the tables were read from.
        level: level of the intervals over heads.
        published: a sentence on each published score: what it is, whose, under which licence.
    """

    subjects: tuple[ImportedSubject, ...]
    files: tuple[str, ...]
    level: float
    published: tuple[str, ...] = ()

    @classmethod
    def of(
        cls,
        found: Correlations,
        domains: Sequence[DomainEffects],
        files: Sequence[Path],
        level: float,
        least_r: float = DEFAULTS["least_r"],
        published: Sequence[str] = (),
    ) -> "ImportedPage":
        """The page of these domains, its figures drawn."""
        subjects: dict[str, list[DomainEffects]] = {}
        for domain in domains:
            subjects.setdefault(domain.names["subject_id"], []).append(domain)
        views = (ImportedSubject.of(found.select(subject_id), own, least_r) for subject_id, own in subjects.items())
        return cls(tuple(views), tuple(file.name for file in files), level, tuple(published))

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
    names |= {} if domain.level is UnitLevel.head else {"level": str(domain.level)}
    return [
        {**names, **head.row, "effect": float(effect)}
        for head, effect in zip(domain.heads, domain.effects, strict=True)
    ]


def _layers(own: pl.DataFrame) -> int:
    return 1 + int(own["layer"].max())  # type: ignore[arg-type]


def _counts(own: pl.DataFrame, layers: int) -> list[int]:
    """Heads of each layer, as far as there are numbers of them."""
    last = dict(own.group_by("layer").agg(pl.col("head").max()).iter_rows())
    return [1 + last.get(layer, -1) for layer in range(layers)]


def _maps(rows: pl.DataFrame, domain: DomainEffects, limit: float, folder: str) -> list[Drawing]:
    own = rows.filter(setting_id=domain.names["setting_id"])
    name, layers = f"{folder}/heat-{slug(domain.domain)}", _layers(own)
    return [figures.heat_map(part, _counts(part, layers), limit, f"{name}-{kind}") for kind, part in by_kind(own)]


def _small_map(rows: pl.DataFrame, domain: DomainEffects, limit: float, folder: str) -> Drawing:
    own = rows.filter(setting_id=domain.names["setting_id"])
    counts = {kind: _counts(part, _layers(own)) for kind, part in by_kind(own)}
    return figures.small_heat_map(own, counts, limit, f"{folder}/small-heat-{slug(domain.domain)}")


def _heads_tile(domains: Sequence[DomainEffects]) -> Tile:
    names = [domain.domain for domain in domains]
    where = ", ".join(names) if len(names) <= MOST_NUMBERS else f"{len(names)} domains"
    heads = max(len(domain.heads) for domain in domains)
    units = domains[0].level.plural.capitalize()
    return Tile("heads", units, "effect", (Number(f"{heads}", "", where),), "Each with a number on every domain.")


def _leading_tile(rows: Sequence[dict[str, Any]]) -> list[Tile]:
    """How many of the most important heads two domains share, the mean over pairs; nothing where none were counted."""
    counts = {row["k"] for row in rows}
    if not counts:
        return []
    k = LEADING if LEADING in counts else min(counts)
    own = [row for row in rows if row["k"] == k]
    shared, expected = (sum(row[name] for row in own) / len(own) for name in ("shared", "expected"))
    where = f"{own[0]['label_a']} and {own[0]['label_b']}" if len(own) == 1 else f"mean of {len(own)} pairs of domains"
    number = Number(f"{decimal(shared, 1)} of {k}", f"{decimal(expected, 1)} by chance", where)
    return [Tile("leading", "The same among the first", "heads permuted", (number,), "Those that both rank first.")]
