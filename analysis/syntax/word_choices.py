"""Which word each word attends to most, and which attends to it most, of all heads of a reading, as arrays.

Shapes: H = heads, N = words of all examples, one example behind the other, E = examples, G = groups of examples.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import polars as pl
from jaxtyping import Bool, Int

from analysis.results.groups import Groups
from analysis.results.readings import Reading
from study.record.errors import InputError
from study.record.examples import text_columns
from study.record.store import read_parts
from study.record.syntax import Span, split_words
from study.record.tables import AttendedWords


@dataclass(frozen=True, eq=False)
class WordChoices:
    """What every head chooses for every word.

    Attributes:
        row: number in its example, from 0, of the word that each word attends to most; -1 for none.
        column: number of the word that attends to it most; -1 for none.
        lengths: words of each example.
        groups: the number of each example's group.
    """

    row: Int[np.ndarray, "H N"]
    column: Int[np.ndarray, "H N"]
    lengths: Int[np.ndarray, " E"]
    groups: Int[np.ndarray, " E"]

    @cached_property
    def starts(self) -> Int[np.ndarray, " E"]:
        """The place of the first word of each example."""
        return np.cumsum(self.lengths) - self.lengths

    @cached_property
    def group(self) -> Int[np.ndarray, " N"]:
        """The group of each word."""
        return np.repeat(self.groups, self.lengths)

    @cached_property
    def position(self) -> Int[np.ndarray, " N"]:
        """The number of each word in its example, from 0."""
        return np.arange(self.lengths.sum()) - np.repeat(self.starts, self.lengths)

    @cached_property
    def choosing(self) -> Bool[np.ndarray, " H"]:
        """Which heads choose any word: cross attention, whose keys are another text, does not."""
        return np.any(self.row >= 0, axis=1)

    def select(self, heads: Bool[np.ndarray, " H"]) -> "WordChoices":
        """The choices of some heads."""
        return replace(self, row=self.row[heads], column=self.column[heads])

    @property
    def group_count(self) -> int:
        """Number of groups."""
        return int(self.groups.max()) + 1


def read_choices(reading: Reading, groups: str, mask: str | None = None) -> tuple[pl.DataFrame, WordChoices] | None:
    """The choices of all heads under a mask, and the examples that they are of; None where none are stored.

    Args:
        reading: where they are stored.
        groups: what is resampled: `auto`, `example`, or a column of the examples.
        mask: key of the mask under which the model ran; None for the full one.

    Raises:
        InputError: when there is no such column, or rows are not of the words of their example.
        StoreError: when a part cannot be read.
    """
    table = AttendedWords()
    within = table.tolerance(reading.setting.tolerance)
    rows = read_parts(reading.folder, table, within=within, layout=reading.layout).rows
    if "row" not in rows.columns:
        return None
    rows = rows.filter(mask=mask or reading.layout.full_key).select("example", "row", "column")
    examples = reading.examples.join(rows, on="example", maintain_order="left")
    if examples.is_empty():
        return None
    lengths, heads = np.array([len(spans) for spans in word_spans(examples)]), len(reading.layout)
    number = Groups.of(examples, reading.group_column(groups)).numbers
    row, other = (_by_head(examples[name], lengths, heads, reading.label) for name in ("row", "column"))
    return examples.drop("row", "column"), WordChoices(row, other, lengths, number)


def _by_head(lists: pl.Series, lengths: Int[np.ndarray, " E"], heads: int, label: str) -> Int[np.ndarray, "H N"]:
    """Lists of each example, heads behind one another, as one row for each head."""
    if not np.array_equal(lists.list.len().to_numpy(), lengths * heads):
        raise InputError(f"{label}: the attended words are not those of the texts; measure them anew")
    flat = lists.explode().to_numpy()
    parts = np.split(flat, np.cumsum(lengths * heads)[:-1])
    return np.concatenate([part.reshape(heads, -1) for part in parts], axis=1)


def word_spans(examples: pl.DataFrame) -> list[Sequence[Span]]:
    """Where the words of each first text stand: those of its tree, else what white space and punctuation part."""
    if has_trees(examples):
        starts, ends = examples["word_start"], examples["word_end"]
        return [list(zip(*both, strict=True)) for both in zip(starts, ends, strict=True)]
    return [split_words(text) for text in examples[text_columns(examples.columns)[0]]]


def has_trees(examples: pl.DataFrame) -> bool:
    """Whether the examples have dependency trees."""
    return isinstance(examples.schema.get("word_start"), pl.List)
