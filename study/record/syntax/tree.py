"""Dependency trees: the words of a text, where each stands, which word it depends on, and how."""

from collections.abc import Sequence
from dataclasses import astuple, dataclass

import polars as pl

from study.record.errors import InputError
from study.record.syntax.words import Span

PUNCTUATION = "punct"
"""The relation of punctuation marks, which is no relation of syntax by itself."""

TREE_COLUMNS = {
    "word_start": pl.List(pl.Int32),
    "word_end": pl.List(pl.Int32),
    "head": pl.List(pl.Int16),
    "relation": pl.List(pl.String),
    "tag": pl.List(pl.String),
}
"""Columns of `examples.parquet`, each a list with an entry for every word."""


@dataclass(frozen=True)
class Tree:
    """The dependency tree of a text. Words are numbered from 1 in it, and 0 stands for what the root depends on.

    Attributes:
        starts: first character of each word in the text, from 0; words that are written as one (`du` for `de le`) have
            the same.
        ends: the character after the last of each word.
        heads: the number of the word that each depends on; 0 for the root.
        relations: how it depends on it (`nsubj`, `nmod:poss`).
        tags: the part of speech of each word.
    """

    starts: tuple[int, ...]
    ends: tuple[int, ...]
    heads: tuple[int, ...]
    relations: tuple[str, ...]
    tags: tuple[str, ...]

    def __post_init__(self) -> None:
        lengths = {len(self.starts), len(self.ends), len(self.heads), len(self.relations), len(self.tags)}
        if len(lengths) != 1 or not self.starts:
            raise InputError("a tree says of each of its words, at least one, where it stands, its head and relation")
        before = (0, 0)
        for number, span in enumerate(self.spans, start=1):
            if not span[0] < span[1] or (span != before and span[0] < before[1]):
                raise InputError(f"word {number} stands at {span[0]} to {span[1]}, before or within the one before it")
            before = span
        self._require_tree()

    def __len__(self) -> int:
        return len(self.starts)

    @property
    def spans(self) -> tuple[Span, ...]:
        """Where each word stands in the text."""
        return tuple(zip(self.starts, self.ends, strict=True))

    def words(self, text: str) -> tuple[str, ...]:
        """The words as the text has them."""
        return tuple(text[start:end] for start, end in self.spans)

    def _require_tree(self) -> None:
        count = len(self)
        for number, head in enumerate(self.heads, start=1):
            if not 0 <= head <= count:
                raise InputError(f"word {number} depends on word {head}, but there are {count}")
        roots = [number for number, head in enumerate(self.heads, start=1) if head == 0]
        if len(roots) > 1:
            raise InputError(f"two roots, words {roots[0]} and {roots[1]}: a tree has one")
        reached = {0}
        for number in range(1, count + 1):
            path: list[int] = []
            while number not in reached and number not in path:
                path.append(number)
                number = self.heads[number - 1]
            if number in path:
                circle = path[path.index(number) :]
                words = ", ".join(map(str, [*circle, number]))
                raise InputError(f"a cycle: the words {words} depend each on the next")
            reached.update(path)


def tree_columns(trees: Sequence[Tree]) -> dict[str, pl.Series]:
    """The columns of `examples.parquet` that hold trees, see `TREE_COLUMNS`."""
    values = zip(*map(astuple, trees), strict=True)
    return {
        name: pl.Series(list(map(list, column)), dtype=kind)
        for (name, kind), column in zip(TREE_COLUMNS.items(), values, strict=True)
    }


def read_trees(examples: pl.DataFrame) -> tuple[Tree, ...] | None:
    """The trees of the examples of a setting, as `examples.parquet` has them; None where it has none."""
    if any(examples.schema.get(name) != kind for name, kind in TREE_COLUMNS.items()):
        return None
    return tuple(Tree(*map(tuple, row)) for row in examples.select(*TREE_COLUMNS).iter_rows())
