"""What heads look at: maps of the statistics of attention, and every head as a table."""

from collections.abc import Iterator
from dataclasses import dataclass

import polars as pl

from analysis.attention.statistics import HeadStatistic, Neighbours, head_statistics
from analysis.attention_kinds import by_kind, kind_name
from analysis.compute import Analysis
from analysis.figures import Drawing
from analysis.figures.attention import statistic_map
from analysis.formatting import head_name, slug
from analysis.page.section import Section
from analysis.page.views import Row
from analysis.results.readings import Reading, trained
from analysis.roles import HeadAttention

FOLDER = "attention"
"""Folder of the figures."""

DRAWN = (
    *("previous", "next", "self", "beginning", "separator", "punctuation", "first", "sink"),
    *("largest", "relative_entropy", "distance", "relative_norm", "norm_beginning", "norm_separator"),
    *("duplicate", "induction", "copy", "retrieval"),
)
"""Statistics that have a map, in this order."""

LEAST = 0.02
"""A share that no head reaches is not drawn."""

LABELLED = {statistic.name: statistic for statistic in head_statistics()}


@dataclass(frozen=True)
class ReadingMaps:
    """The statistics of one reading.

    Attributes:
        label: model and data.
        about: number of examples and groups.
        maps: a map for each statistic and kind of attention.
        statistics: the columns of the table.
        rows: every head with its value of each of them.
    """

    label: str
    about: str
    maps: tuple[Drawing, ...]
    statistics: tuple[HeadStatistic, ...]
    rows: tuple[tuple[Row, str, tuple[Row | None, ...]], ...]


@dataclass(frozen=True)
class AttentionMaps(Section):
    """What heads look at, of every reading of a trained model."""

    template, anchor, title = "attention/attention_maps", "attention", "What heads look at"
    link = "Attention"
    readings: tuple[ReadingMaps, ...]
    possible: bool

    @classmethod
    def of(cls, analysis: Analysis) -> "AttentionMaps | None":
        """None where it was not measured."""
        return None if analysis.attention is None else cls.showing(analysis.attention)

    @classmethod
    def showing(cls, found: HeadAttention) -> "AttentionMaps":
        """The section of these readings, their maps drawn; of random weights there are no maps."""
        readings = tuple(_maps(found, reading) for reading in trained(found.readings))
        drawings = tuple(drawing for reading in readings for drawing in reading.maps)
        return cls(readings, found.neighbours is Neighbours.possible, drawings=drawings)


def _maps(found: HeadAttention, reading: Reading) -> ReadingMaps:
    own = found.statistics.filter(**reading.names).drop_nulls("value")
    drawn = [LABELLED[name] for name in DRAWN if _is_drawn(own.filter(statistic=name))]
    folder = f"{FOLDER}/{slug(f'{reading.model}-{reading.data}-{reading.special}-{reading.setting.id[:6]}')}"
    sizes = own.row(0, named=True)
    groups = "" if sizes["group"] == "example" else f" in {sizes['groups']:,} groups"
    return ReadingMaps(
        reading.label,
        f"{reading.examples.height:,} examples{groups}",
        tuple(_drawings(own, drawn, folder)),
        tuple(drawn),
        tuple(_rows(own, drawn)),
    )


def _is_drawn(rows: pl.DataFrame) -> bool:
    largest = rows["value"].max()
    return largest is not None and float(largest) >= LEAST  # type: ignore[arg-type]


def _drawings(own: pl.DataFrame, drawn: list[HeadStatistic], folder: str) -> Iterator[Drawing]:
    several = own["kind"].n_unique() > 1
    for statistic in drawn:
        rows = own.filter(statistic=statistic.name)
        top = 1.0 if statistic.unit == "share" else float(rows["value"].quantile(0.98, "higher") or 1.0)
        for kind, part in by_kind(rows):
            title = statistic.label + (f", {kind_name(kind)}" if several else "")
            name = f"{folder}/{statistic.name}-{kind}"
            shown = part.select("kind", "layer", "head", "value", "low", "high")
            yield statistic_map(shown, title, name, unit=statistic.unit, digits=statistic.digits, top=top)


def _rows(own: pl.DataFrame, drawn: list[HeadStatistic]) -> Iterator[tuple[Row, str, tuple[Row | None, ...]]]:
    several = own["kind"].n_unique() > 1
    cells = {(row["kind"], row["layer"], row["head"], row["statistic"]): row for row in own.rows(named=True)}
    heads = own.select("kind", "layer", "head").unique(maintain_order=True)
    for head in heads.rows(named=True):
        known = tuple(cells.get((*head.values(), statistic.name)) for statistic in drawn)
        yield head, head_name(head, several), known
