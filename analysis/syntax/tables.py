"""The tables of syntax and rare words of a results folder."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import polars as pl

from analysis.inference import Inference
from analysis.results.readings import READING, Reading
from analysis.syntax.best_heads import BEST, best_heads
from analysis.syntax.frequencies import Frequencies
from analysis.syntax.rare_words import RARE_WORDS, rare_word_scores
from analysis.syntax.relation_scores import SCORES, RelationScores

OF_READING = {**dict.fromkeys(READING, pl.String), "untrained": pl.Boolean}


@dataclass(frozen=True, eq=False)
class Syntax:
    """Heads as parsers, and heads that look at rare words, of every reading with attended words.

    Attributes:
        scores: every head, relation and direction, see `relation_scores`.
        best: the best head of each relation and direction, see `best_heads`.
        rare: how often heads attend to the rarest word, see `rare_word_scores`.
        readings: what they are of, by setting id.
        alpha: level of tests, and what intervals leave out.
    """

    scores: pl.DataFrame
    best: pl.DataFrame
    rare: pl.DataFrame
    readings: Mapping[str, Reading]
    alpha: float

    @cached_property
    def tables(self) -> dict[str, pl.DataFrame]:
        """Those that have rows, by the names of their files."""
        named = {"syntax": self.scores, "syntax_best": self.best, "rare_words": self.rare}
        return {name: table for name, table in named.items() if table.height}

    def label(self, setting: str) -> str:
        """The model and data of a reading, by its setting id."""
        return f"{self.readings[setting].model} on {self.readings[setting].data}"

    def control(self, setting: str) -> str | None:
        """The setting id of the same model with random weights on the same data; None where that was not measured."""
        own = self.readings[setting]
        return next((other for other, reading in self.readings.items() if reading.is_control_of(own)), None)


def syntax(
    readings: Iterable[Reading], inference: Inference, frequencies: Path | None = None, mask: str | None = None
) -> Syntax | None:
    """The tables of some readings; None where none has attended words.

    Args:
        readings: what heads look at, by setting; which special tokens count makes no difference to words.
        inference: alpha, resamples, seed, groups.
        frequencies: a file of words and counts; None counts the words of each data set itself.
        mask: key of the mask under which the model ran; None for the full one.

    Raises:
        InputError: when the file is of another form, or examples have no such groups.
    """
    counts = None if frequencies is None else Frequencies.read(frequencies)
    scores, best, rare, known = [_empty(SCORES)], [_empty(BEST)], [_empty(RARE_WORDS)], {}
    for reading in readings:
        setting = reading.setting.id
        of_rare = None if setting in known else rare_word_scores(reading, inference, mask, counts)
        if of_rare is None:
            continue
        known[setting] = reading
        rare.append(_told(of_rare, reading))
        found = RelationScores.of(reading, inference, mask)
        if found is not None:
            scores.append(_told(found.each_head, reading))
            best.append(_told(best_heads(found), reading))
    return Syntax(pl.concat(scores), pl.concat(best), pl.concat(rare), known, inference.alpha) if known else None


def _empty(schema: Mapping[str, Any]) -> pl.DataFrame:
    return pl.DataFrame(schema=OF_READING | dict(schema))


def _told(table: pl.DataFrame, reading: Reading) -> pl.DataFrame:
    """A table with the columns of its reading before its own."""
    told = {**reading.names, "untrained": reading.untrained}
    return table.select(*(pl.lit(value, dtype=OF_READING[name]).alias(name) for name, value in told.items()), pl.all())
