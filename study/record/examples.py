"""Examples: the rows of one data set, as every other room sees them."""

import hashlib
import json
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import astuple, dataclass, field
from enum import StrEnum
from functools import cached_property

import polars as pl

from study.record.errors import InputError
from study.record.syntax import Span, Tree, split_words
from study.record.syntax.tree import TREE_COLUMNS, tree_columns

WEIGHT = "weight"
"""Column of how much an example counts."""

MARK = "~"
"""What stands between the id of an example and the number of its draw, where it is studied with several donors."""

GROUP = "group"
"""Column of examples that are not independent of each other."""


def text_columns(columns: Iterable[str]) -> list[str]:
    """Those of the columns of `Examples.to_frame` that hold the texts; an annotation may be called `text_type`."""
    return [name for name in columns if re.fullmatch(r"text_\d+", name)]


class Varies(StrEnum):
    """Which part of a choice differs from one alternative to the next."""

    CONTINUATION = "continuation"
    CONTEXT = "context"


@dataclass(frozen=True)
class Examples:
    """Texts with what they should become, one entry per example.

    Attributes:
        ids: unique name of each example; keys the outcome rows.
        texts: what the model reads: (premise, hypothesis), (sentence,) or (source,); of a choice (context,
            continuation 1, ..., continuation K), where K may differ from one example to the next and a continuation
            begins with the blank that follows the context; of a language model's text (text,).
        targets: label name (classification), reference text (translation), or the number of the right alternative,
            from 0 (choice); empty where a text is scored as it stands.
        columns: what groups or slices examples, by name: `group` (premise, document: examples that are not
            independent of each other), `genre`, ...
        weights: how much each example counts in every score, above 0, in any unit; None: all alike.
        merged: what the targets call a label that they do not tell from another; any label with that name is right.
        counts: what log-likelihoods are divided by, by name (`characters`, `bytes`, `words`): an integer for each
            alternative of a choice, one for a text.
        varies: which part of a choice differs; where it is the context, texts are (continuation, context 1, ...,
            context K).
        trees: the dependency tree of the first text of each example; None where nobody has drawn them.
    """

    ids: tuple[str, ...]
    texts: tuple[tuple[str, ...], ...]
    targets: tuple[str, ...]
    columns: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    weights: tuple[float, ...] | None = None
    merged: Mapping[str, str] = field(default_factory=dict)
    counts: Mapping[str, tuple[tuple[int, ...], ...]] = field(default_factory=dict)
    varies: Varies = Varies.CONTINUATION
    trees: tuple[Tree, ...] | None = None

    def __post_init__(self) -> None:
        lengths = {"texts": len(self.texts), "targets": len(self.targets)}
        lengths |= {name: len(column) for name, column in (*self.columns.items(), *self.counts.items())}
        lengths |= {} if self.weights is None else {"weights": len(self.weights)}
        lengths |= {} if self.trees is None else {"trees": len(self.trees)}
        if wrong := {name: length for name, length in lengths.items() if length != len(self.ids)}:
            raise InputError(f"{len(self.ids)} ids, but {wrong}")
        if len(set(self.ids)) != len(self.ids):
            seen: set[str] = set()
            double = next(i for i in self.ids if i in seen or seen.add(i))
            raise InputError(f"example ids must be unique: '{double}' stands twice")
        own = {"example", "target", "varies", WEIGHT, *text_columns(self.columns), *self.counts}
        own |= set() if self.trees is None else set(TREE_COLUMNS)
        if taken := sorted(own & set(self.columns)):
            raise InputError(
                f"'{taken[0]}' cannot name what groups or slices examples: results have such a column already"
            )
        for i, weight in zip(self.ids, self.weights or (), strict=False):
            if not 0 < weight < math.inf:
                raise InputError(f"example '{i}' has the weight {weight:g}: a weight is a number above 0")
        for i, text, tree in zip(self.ids, self.texts, self.trees or (), strict=False):
            if tree.ends[-1] > len(text[0]):
                raise InputError(
                    f"example '{i}' has {len(text[0])} characters, but a word that ends at {tree.ends[-1]}"
                )

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def labels(self) -> tuple[str, ...]:
        """The distinct targets, sorted: the label names of a classification set."""
        return tuple(sorted(set(self.targets)))

    @property
    def groups(self) -> tuple[str, ...]:
        """The group of each example; itself where the data has no groups."""
        return tuple(self.columns.get(GROUP, self.ids))

    @cached_property
    def digest(self) -> str:
        """sha256 of all that an outcome or a score depends on: ids, texts, targets, weights, merged labels, trees."""
        more = [
            *([] if self.weights is None else [self.weights]),
            *([dict(self.merged)] if self.merged else []),
            *([{"counts": dict(self.counts)}] if self.counts else []),
            *([] if self.varies is Varies.CONTINUATION else [{"varies": self.varies}]),
            *([] if self.trees is None else [{"trees": [astuple(tree) for tree in self.trees]}]),
        ]
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
            counts={name: tuple(count[i] for i in rows) for name, count in self.counts.items()},
            varies=self.varies,
            trees=None if self.trees is None else tuple(self.trees[i] for i in rows),
        )

    def words(self) -> tuple[tuple[Span, ...], ...]:
        """Where the words of each first text stand: those of its tree, or what white space and punctuation part."""
        if self.trees is not None:
            return tuple(tree.spans for tree in self.trees)
        return tuple(split_words(text[0]) for text in self.texts)

    def to_frame(self) -> pl.DataFrame:
        """As stored in `examples.parquet`: `example`, `target`, `text_1` ..., the columns, counts and perhaps `weight`.

        Texts beyond those of an example are null. `varies` is a column where it is the context that varies. Where there
        are trees, `word_start`, `word_end`, `head`, `relation` and `tag` are lists with an entry for each word.
        """
        width = max((len(row) for row in self.texts), default=0)
        counts = {name: pl.Series(count, dtype=pl.List(pl.Int64)) for name, count in self.counts.items()}
        return pl.DataFrame(
            {
                "example": self.ids,
                "target": self.targets,
                **{f"text_{i + 1}": [row[i] if i < len(row) else None for row in self.texts] for i in range(width)},
                **self.columns,
                **counts,
                **({} if self.varies is Varies.CONTINUATION else {"varies": [self.varies.value] * len(self)}),
                **({} if self.weights is None else {WEIGHT: self.weights}),
                **({} if self.trees is None else tree_columns(self.trees)),
            }
        )
