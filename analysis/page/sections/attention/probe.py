"""A probe of syntax: what all heads together know of it, and which of them the probe needs."""

from dataclasses import dataclass

import polars as pl

from analysis.attention_kinds import by_kind
from analysis.compute import Analysis
from analysis.figures import Drawing
from analysis.figures.attention import statistic_map
from analysis.figures.attention.probe_rows import probe_rows
from analysis.formatting import power_of_ten, slug
from analysis.page.section import Section
from analysis.page.views import Row
from analysis.results.probe_readings import ProbeReading
from analysis.syntax.probe_scores import Probes
from analysis.syntax.probe_words import PUBLISHED, probe_sentence
from analysis.syntax.words import WHOLES, relation_title, short_name
from study.record.units import Head

MOST_HEADS = 10
"""Heads that are listed, those without which the probe loses most."""


@dataclass(frozen=True)
class ScoredProbe:
    """One reading.

    Attributes:
        label: model, data, and what the probe was trained on.
        sentence: its score, in words.
        drawings: relations, and the heads that it needs.
        rows: its score by relation: the relation in words, and the row of `probe_scores`.
        heads: the heads that it needs most: name, and row of `probe_weights`; none where the same probe stands above.
        others: what it is compared with, by the names of columns, as far as that is known.
    """

    label: str
    sentence: str
    drawings: tuple[Drawing, ...]
    rows: tuple[tuple[str, Row], ...]
    heads: tuple[tuple[str, Row], ...]
    others: tuple[str, ...]


@dataclass(frozen=True)
class Probe(Section):
    """What probes find, of every reading of a trained model.

    Attributes:
        readings: those with a score.
        level: probability that intervals hold.
    """

    template, anchor, title, link = "attention/probe", "probe", "All heads as a parser", "Probe"
    readings: tuple[ScoredProbe, ...]
    level: float

    published = PUBLISHED

    @classmethod
    def of(cls, analysis: Analysis) -> "Probe | None":
        """None where no probe was trained."""
        return cls.showing(analysis.probes)

    @classmethod
    def showing(cls, found: Probes | None) -> "Probe | None":
        """The section of these probes; None where there are none."""
        if found is None:
            return None
        trained = [(reading.setting.subject_id, reading.probe.training.id) for reading in found.shown]
        readings = tuple(
            _scored(found, reading, with_heads=trained.index(one) == at)
            for at, (one, reading) in enumerate(zip(trained, found.shown, strict=True))
        )
        drawings = tuple(drawing for reading in readings for drawing in reading.drawings)
        return cls(readings=readings, level=1 - found.alpha, drawings=drawings)


def _scored(found: Probes, reading: ProbeReading, *, with_heads: bool) -> ScoredProbe:
    rows, heads = found.rows(reading), found.heads(reading)
    heads = heads if with_heads else heads.clear()
    several = heads["kind"].n_unique() > 1
    first = rows.row(0, named=True) if rows.height else {}
    needed = heads.sort("loss_without", descending=True, maintain_order=True).head(MOST_HEADS)
    return ScoredProbe(
        label=reading.label,
        sentence=probe_sentence(found, reading),
        drawings=_drawings(rows, heads, reading),
        rows=tuple((relation_title(row["relation"]), row) for row in rows.rows(named=True)),
        heads=tuple((short_name(str(Head.from_row(row)), several), row) for row in needed.rows(named=True)),
        others=tuple(other for other in ("single", "offset", "control") if first.get(other) is not None),
    )


def _drawings(rows: pl.DataFrame, heads: pl.DataFrame, reading: ProbeReading) -> tuple[Drawing, ...]:
    name = f"attention/probe-{slug(f'{reading.label}-{reading.probe.training.id}')}"
    relations = rows.filter(~pl.col("relation").is_in(WHOLES)).height
    made = [probe_rows(rows, reading.label, name)] if relations else []
    values = heads.with_columns(value=1000 * pl.col("loss_without").clip(0), low=pl.lit(None), high=pl.lit(None))
    top = float(values["value"].max() or 1.0)  # type: ignore[arg-type]
    for kind, part in by_kind(values.select("kind", "layer", "head", "value", "low", "high")):
        drawn = f"{name}-heads-{kind}"
        made.append(
            statistic_map(part, "Heads that it needs", drawn, unit=f"{power_of_ten(-3)}nats", digits=1, top=top)
        )
    return tuple(made)
