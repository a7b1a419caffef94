"""Single heads as parsers, and heads that look at rare words: the best of each reading beside what needs no head."""

from collections.abc import Iterator
from dataclasses import dataclass

import polars as pl

from analysis.compute import Analysis
from analysis.figures import Drawing
from analysis.figures.attention.relation_rows import relation_rows
from analysis.formatting import slug
from analysis.page.section import Section
from analysis.page.views import Row
from analysis.results.readings import trained
from analysis.syntax import Syntax
from analysis.syntax.relation_sums import Direction
from analysis.syntax.words import (
    DIRECTIONS,
    chosen_heads,
    chosen_offsets,
    rare_sentence,
    relation_title,
    short_name,
    syntax_sentence,
)
from study.record.units import Head

FEW = 5
"""Heads of each reading that are listed for rare words, those with the largest share."""


@dataclass(frozen=True)
class ParserRow:
    """A relation in one direction.

    Attributes:
        title: the relation, in words.
        direction: which way attention goes.
        heads: the head chosen, or the two.
        offsets: the offset chosen, or the two.
        in_sample: best head and offset where they are chosen on the examples that they are scored on.
        numbers: its row of `analysis.syntax.best_heads`.
        first: whether it is the first row of its relation.
        random: accuracy of the best head of the model with random weights; None where that was not measured.
    """

    title: str
    direction: str
    heads: str
    offsets: str
    in_sample: str
    numbers: Row
    first: bool
    random: float | None


@dataclass(frozen=True)
class RareRow:
    """A head that looks at rare words: its name, and its rows for the rarest and for the two rarest."""

    name: str
    one: Row
    two: Row | None


@dataclass(frozen=True)
class ParserReading:
    """One reading.

    Attributes:
        label: model and data.
        sentence: what its heads know of syntax; empty without trees.
        drawing: its relations; None without trees.
        rows: every relation and direction.
        rare_sentence: what its heads know of rare words.
        rare: the heads that look at them most.
        corpus: where words were counted.
    """

    label: str
    sentence: str
    drawing: Drawing | None
    rows: tuple[ParserRow, ...]
    rare_sentence: str
    rare: tuple[RareRow, ...]
    corpus: str


@dataclass(frozen=True)
class Parsers(Section):
    """What single heads know of syntax, and of rare words.

    Attributes:
        readings: those of trained models; of models with random weights where there are no others.
        level: probability that intervals hold.
        corpus: where words were counted, if it is the same for all readings.
    """

    template, anchor, title, link = "attention/parsers", "syntax", "Single heads as parsers", "Syntax"
    readings: tuple[ParserReading, ...]
    level: float
    corpus: str

    @classmethod
    def of(cls, analysis: Analysis) -> "Parsers | None":
        """None where no words were measured."""
        return None if analysis.attention is None else cls.showing(analysis.attention.syntax)

    @classmethod
    def showing(cls, found: Syntax | None) -> "Parsers | None":
        """The section of these tables; None where there are none."""
        if found is None:
            return None
        readings = tuple(_reading(found, reading.setting.id) for reading in trained(found.readings.values()))
        drawings = tuple(reading.drawing for reading in readings if reading.drawing)
        corpora = {reading.corpus for reading in readings}
        corpus = corpora.pop() if len(corpora) == 1 else ""
        return cls(readings=readings, level=1 - found.alpha, corpus=corpus, drawings=drawings)


def _reading(found: Syntax, setting: str) -> ParserReading:
    best, rare = (table.filter(setting_id=setting) for table in (found.best, found.rare))
    label, control = found.label(setting), found.control(setting)
    drawing = relation_rows(best, label, f"attention/syntax-{slug(f'{label}-{setting}')}") if best.height else None
    return ParserReading(
        label=label,
        sentence=syntax_sentence(best, label) if best.height else "",
        drawing=drawing,
        rows=tuple(_rows(best, found.best.filter(pl.col("setting_id") == (control or "")))),
        rare_sentence=rare_sentence(rare, label),
        rare=tuple(_rare_rows(rare)),
        corpus=rare["corpus"][0] if rare.height else "",
    )


def _rows(best: pl.DataFrame, control: pl.DataFrame) -> Iterator[ParserRow]:
    random = {(row["relation"], row["direction"]): row["accuracy"] for row in control.rows(named=True)}
    several = len({Head.parse(address).kind for address in best["first_head"]}) > 1
    for row in best.rows(named=True):
        in_sample = f"{short_name(row['clark_head'], several)} {row['clark_accuracy']:.1f}"
        yield ParserRow(
            title=relation_title(row["relation"]),
            direction=DIRECTIONS[Direction(row["direction"])],
            heads=chosen_heads(row, several),
            offsets=chosen_offsets(row),
            in_sample=f"{in_sample}; {row['clark_offset']:+d} {row['clark_baseline']:.1f}".replace("-", "−"),
            numbers=row,
            first=row["direction"] == Direction.to_head,
            random=random.get((row["relation"], row["direction"])),
        )


def _rare_rows(rare: pl.DataFrame) -> Iterator[RareRow]:
    several = rare["kind"].n_unique() > 1
    keys = ["kind", "layer", "head"]
    twos = {tuple(row[key] for key in keys): row for row in rare.filter(rarest=2).rows(named=True)}
    for row in rare.filter(rarest=1).sort("share", descending=True, maintain_order=True).head(FEW).rows(named=True):
        yield RareRow(short_name(str(Head.from_row(row)), several), row, twos.get(tuple(row[key] for key in keys)))
