"""Models compared: what removing each head costs one and another on the same data, and the difference."""

from collections.abc import Iterator
from dataclasses import dataclass

import polars as pl

from analysis import figures
from analysis.compute import Analysis
from analysis.figures import Drawing
from analysis.formatting import slug
from analysis.page.section import Section
from analysis.page.views import Row, subject_labels
from study.record.units import Head


@dataclass(frozen=True)
class Pair:
    """Two subjects of the same heads.

    Attributes:
        subject_ids: their ids.
        labels: their names.
        unit: unit of the effects.
        domains: the data sets that both were measured on.
        heads: each head, with its row of `Analysis.differences` on each data set; None where it was not measured.
        scatters: the effects in one against those in the other, on each data set.
    """

    subject_ids: tuple[str, str]
    labels: tuple[str, str]
    unit: str
    domains: tuple[str, ...]
    heads: tuple[tuple[Head, tuple[Row | None, ...]], ...]
    scatters: tuple[Drawing, ...]

    @classmethod
    def of(cls, rows: pl.DataFrame, labels: tuple[str, str]) -> "Pair":
        """From the rows of one pair."""
        ids = rows["subject_id_a"][0], rows["subject_id_b"][0]
        domains = tuple(rows["domain"].unique(maintain_order=True))
        cells = {(Head.from_row(row), row["domain"]): row for row in rows.rows(named=True)}
        heads = sorted({head for head, _ in cells})
        return cls(
            subject_ids=ids,
            labels=labels,
            unit=rows["unit"][0],
            domains=domains,
            heads=tuple((head, tuple(cells.get((head, domain)) for domain in domains)) for head in heads),
            scatters=tuple(_scatters(rows, labels, f"compared/{slug('-'.join(ids))}")),
        )

    @property
    def several(self) -> bool:
        """Whether there are several kinds of attention, so that a head needs its address."""
        return len({head.kind for head, _ in self.heads}) > 1


@dataclass(frozen=True)
class Comparison(Section):
    """Every two subjects of the same heads and metric that were measured on the same data."""

    template, anchor, title = "comparison", "compared", "Models compared"
    link = "Compared"
    pairs: tuple[Pair, ...]

    @classmethod
    def of(cls, analysis: Analysis) -> "Comparison | None":
        """The pairs of subjects whose heads can be held against each other."""
        labels, shown = subject_labels(analysis), analysis.differences
        shown = shown.filter(pl.col("subject_id_a").is_in(list(labels)), pl.col("subject_id_b").is_in(list(labels)))
        pairs = tuple(
            Pair.of(rows, (labels[a], labels[b]))
            for (a, b), rows in shown.group_by("subject_id_a", "subject_id_b", maintain_order=True)
        )
        return cls(pairs, drawings=tuple(drawing for pair in pairs for drawing in pair.scatters)) if pairs else None


def _scatters(rows: pl.DataFrame, labels: tuple[str, str], folder: str) -> Iterator[Drawing]:
    compared = pl.concat([rows.select(effect=f"effect_{side}") for side in "ab"])
    for (domain,), own in rows.group_by("domain", maintain_order=True):
        heads = own.select("kind", "layer", "head", "effect_a", "effect_b")
        name = f"{folder}/{slug(str(domain))}"
        yield figures.scatter(heads, labels, (own["unit"][0],) * 2, str(domain), name, compared)
