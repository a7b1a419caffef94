"""The maps of a few examples as a study stores them: weights between words, in bytes.

Shapes: W words that look, V words that are looked at.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from jaxtyping import UInt8

from study.record.maps.sentence_maps import SentenceMaps
from study.record.metrics.choices.alternatives import LOGLIK
from study.record.store import read_parts
from study.record.tables.maps import STEPS, Maps
from study.record.units import AttentionKind, Head, HeadLayout

LONGEST = 100
"""Words of the longest example that is chosen for its maps: they take a byte for each two words and head."""


ANSWERS = {
    "prediction": pl.col("prediction"),
    "hypothesis": pl.col("hypothesis"),
    LOGLIK: pl.col(LOGLIK).list.arg_max(),
}
"""The column that holds an answer, and the answer in it: a label, a translation, the likeliest of several choices."""


@dataclass(frozen=True)
class WordSide:
    """The words of a text, special tokens among them.

    Attributes:
        words: text of each.
        special: whether it is a special token.
    """

    words: tuple[str, ...]
    special: tuple[bool, ...]


@dataclass(frozen=True)
class StoredMaps:
    """The maps of one example under one mask.

    Attributes:
        example: id of the example.
        mask: key of the mask.
        source: what the model reads.
        target: a translation; None where there is none.
        weights: by head, how much of the attention of each word goes to each word, in steps of 1/255.
    """

    example: str
    mask: str
    source: WordSide
    target: WordSide | None
    weights: Mapping[Head, UInt8[np.ndarray, "W V"]]

    @classmethod
    def from_row(cls, row: Mapping[str, Any], layout: HeadLayout) -> "StoredMaps":
        """Read a row of the table `Maps`."""
        sides = [WordSide(tuple(row[f"{of}words"]), tuple(row[f"{of}special"])) for of in ("", "target_")]
        source, target = sides[0], sides[1] if sides[1].words else None
        numbers, weights, start = np.asarray(row["weights"], dtype=np.uint8), {}, 0
        for head in layout.heads:
            shape = sizes(head.kind, source, target)
            end = start + shape[0] * shape[1]
            weights[head] = numbers[start:end].reshape(shape)
            start = end
        return cls(row["example"], row["mask"], source, target, weights)


def sizes(kind: AttentionKind, source: WordSide, target: WordSide | None) -> tuple[int, int]:
    """How many words look, and how many are looked at, in attention of a kind."""
    decoder = target or source
    queries = source if kind is AttentionKind.ENCODER_SELF else decoder
    keys = decoder if kind is AttentionKind.DECODER_SELF else source
    return len(queries.words), len(keys.words)


def map_columns(maps: SentenceMaps) -> dict[str, Any]:
    """The columns of an example in the table `Maps`."""
    columns: dict[str, Any] = {}
    for of, side in (("", maps.source), ("target_", maps.target)):
        columns[f"{of}words"] = list(side.words) if side else []
        columns[f"{of}special"] = side.special_words.tolist() if side else []
    steps = [np.rint(STEPS * maps.word_weights(head).clip(0, 1)).astype(np.uint8).ravel() for head in maps.layout.heads]
    return {**columns, "weights": np.concatenate(steps)}


def read_maps(folder: Path, layout: HeadLayout) -> list[StoredMaps]:
    """The maps in the folder of a setting, in the order in which they were stored.

    Raises:
        StoreError: when parts of them cannot be read, or disagree.
    """
    rows = read_parts(folder, Maps(), layout=layout).rows
    return [StoredMaps.from_row(row, layout) for row in rows.iter_rows(named=True)]


def examples_to_show(outcomes: pl.DataFrame, lengths: Mapping[str, int], layout: HeadLayout, number: int) -> list[str]:
    """The examples of which maps are most worth a look.

    Args:
        outcomes: what is stored of outcomes, under any masks.
        lengths: words of each example, in the order of the data.
        layout: heads of the model.
        number: how many are wanted.

    Returns:
        First those whose answer changes under most masks that remove one head, then the others in their order; those of
        more than `LONGEST` words only where there are too few.
    """
    changes = dict(_answers_changed(outcomes, layout))
    order = sorted(lengths, key=lambda example: (lengths[example] > LONGEST, -changes.get(example, 0)))
    return order[:number]


def _answers_changed(outcomes: pl.DataFrame, layout: HeadLayout) -> Iterator[tuple[str, int]]:
    """How many single heads change the answer to each example, as far as that is stored."""
    answer = next((ANSWERS[name] for name in ANSWERS if name in outcomes.columns), None)
    if answer is None or not outcomes.height:
        return
    single = [layout.key(mask) for mask in layout.each_off()]
    full = outcomes.filter(mask=layout.full_key).select("example", was=answer)
    rows = outcomes.filter(pl.col("mask").is_in(single)).select("example", now=answer).join(full, on="example")
    yield from rows.group_by("example").agg((pl.col("now") != pl.col("was")).sum()).iter_rows()
