"""Examples: the rows of one data set, as every other room sees them."""

import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import polars as pl

from study.record.errors import InputError

WEIGHT = "weight"
"""Column of how much an example counts."""


@dataclass(frozen=True)
class Examples:
    """Texts with what they should become, one entry per example.

    Attributes:
        ids: unique name of each example; keys the outcome rows.
        texts: what the model reads: (premise, hypothesis), (sentence,) or (source,).
        targets: label name (classification) or reference text (translation).
        columns: what groups or slices examples, by name: `group` (premise, document: examples that are not
            independent of each other), `genre`, ...
        weights: how much each example counts in every score, above 0, in any unit; None: all alike.
        merged: what the targets call a label that they do not tell from another; any label with that name is right.
    """

    ids: tuple[str, ...]
    texts: tuple[tuple[str, ...], ...]
    targets: tuple[str, ...]
    columns: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    weights: tuple[float, ...] | None = None
    merged: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        lengths = {"texts": len(self.texts), "targets": len(self.targets)}
        lengths |= {name: len(column) for name, column in self.columns.items()}
        lengths |= {} if self.weights is None else {"weights": len(self.weights)}
        if wrong := {name: length for name, length in lengths.items() if length != len(self.ids)}:
            raise InputError(f"{len(self.ids)} ids, but {wrong}")
        if len(set(self.ids)) != len(self.ids):
            seen: set[str] = set()
            double = next(i for i in self.ids if i in seen or seen.add(i))
            raise InputError(f"example ids must be unique: '{double}' stands twice")
        for i, weight in zip(self.ids, self.weights or (), strict=False):
            if not 0 < weight < math.inf:
                raise InputError(f"example '{i}' has the weight {weight:g}: a weight is a number above 0")

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def labels(self) -> tuple[str, ...]:
        """The distinct targets, sorted: the label names of a classification set."""
        return tuple(sorted(set(self.targets)))

    @cached_property
    def digest(self) -> str:
        """sha256 of everything that an outcome or a score depends on: ids, texts, targets, weights, merged labels."""
        more = [*([] if self.weights is None else [self.weights]), *([dict(self.merged)] if self.merged else [])]
        content = json.dumps([self.ids, self.texts, self.targets, *more], ensure_ascii=False)
        return hashlib.sha256(content.encode()).hexdigest()

    def take(self, rows: Sequence[int]) -> "Examples":
        """The examples in these rows, in this order."""
        return Examples(
            ids=tuple(self.ids[i] for i in rows),
            texts=tuple(self.texts[i] for i in rows),
            targets=tuple(self.targets[i] for i in rows),
            columns={name: tuple(column[i] for i in rows) for name, column in self.columns.items()},
            weights=None if self.weights is None else tuple(self.weights[i] for i in rows),
            merged=self.merged,
        )

    def to_frame(self) -> pl.DataFrame:
        """As stored in `examples.parquet`: `example`, `target`, `text_1` ..., the columns, and perhaps `weight`."""
        width = max((len(row) for row in self.texts), default=0)
        return pl.DataFrame(
            {
                "example": self.ids,
                "target": self.targets,
                **{f"text_{i + 1}": [row[i] for row in self.texts] for i in range(width)},
                **self.columns,
                **({} if self.weights is None else {WEIGHT: self.weights}),
            }
        )
