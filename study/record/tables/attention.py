"""Attention rows: what heads look at, as sums over the query tokens of an example that need no map to be kept.

    attention-...parquet         statistics of each head; `attention_left_out-...` where special tokens count otherwise
    divergence-...parquet        how far the weights of each two heads are apart
    attended_words-...parquet    which word each word attends to most, and which attends to it most

H = attention heads in the order of the layout, W = words of an example. Every column but the keys is an array over
heads. Where two rows differ in where the largest weight is, it was a near tie, as long as there are few such places.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import ClassVar

import numpy as np
import polars as pl
from jaxtyping import Float, Int

from study.record.setting import TOLERANCE
from study.record.tables.agreement import NEAR_TIES, Columns, changes, numbers_differ
from study.record.tables.statistics import ALWAYS, ALWAYS_COUNTED
from study.record.tables.table import Table

LOW_PRECISION_TOLERANCE = 0.05
"""The tolerance of patterns in bfloat16, as a share of a row's largest sum."""


class Special(StrEnum):
    """What becomes of the tokens that stand for no text: [CLS], [SEP], BOS, EOS."""

    kept = "kept"
    """They count as queries and as keys (Clark et al. 2019)."""
    keys_left_out = "keys_left_out"
    """Weights on them are dropped and the row is scaled to a sum of 1; their own rows count."""
    left_out = "left_out"
    """Neither their rows nor the weights on them count (Voita et al. 2019 leave out the end of a sentence)."""


@dataclass(frozen=True)
class Observation(Table):
    """Rows of attention patterns, which are seen while the model runs; several of these tables cost one pass."""

    places: ClassVar[tuple[str, ...]] = ()
    """Columns that say, or count, where the largest weight is."""

    reads_words: ClassVar[bool] = False
    """Whether it takes the words of a text besides its tokens."""

    def tolerance(self, outcomes: float) -> float:
        """That of float32, unless the model itself computes in less."""
        return TOLERANCE if outcomes <= TOLERANCE else LOW_PRECISION_TOLERANCE

    def compare(self, columns: Columns, within: float) -> tuple[pl.Expr, pl.Expr]:
        """Sums agree within a share of the row's largest; few places of the largest weight may be others."""
        many, some = [pl.lit(value=False)], [pl.lit(value=False)]
        for name in self.places:
            if name in columns:
                changed = changes(columns, name).list.eval(pl.element() != 0)
                many.append(changed.list.sum() > 2 * (1 + NEAR_TIES * changed.list.len()))
                some.append(changed.list.any())
        sums = {name: dtype for name, dtype in columns.items() if name not in self.places}
        return pl.any_horizontal(many) | numbers_differ(sums, within), pl.any_horizontal(some)


@dataclass(frozen=True)
class SpecialTokens(Observation):
    """Rows that depend on what becomes of special tokens.

    Attributes:
        special: whether they count as queries and keys.
    """

    special: Special = Special.kept

    @property
    def option(self) -> str:
        """What becomes of special tokens, unless they count as any other."""
        return "" if self.special is Special.kept else str(self.special)

    @classmethod
    def parse(cls, option: str) -> "SpecialTokens":
        """Inverse of `option`."""
        return cls(Special(option) if option else Special.kept)


@dataclass(frozen=True)
class Attention(SpecialTokens):
    """Statistics of each head: `COUNTS`, `STATISTICS`, and `offsets` [H, 11], how often the largest weight is at each.

    An offset is the key's position minus the query's; queries whose largest weight is further away are all others.
    """

    kind: ClassVar[str] = "attention"
    label: ClassVar[str] = "statistics of attention"
    own: ClassVar[tuple[str, ...]] = (*ALWAYS_COUNTED, *ALWAYS, "offsets")
    """Those of every model; language models have more."""
    places: ClassVar[tuple[str, ...]] = ("offsets", "retrieval")


@dataclass(frozen=True)
class Divergence(SpecialTokens):
    """The Jensen-Shannon divergence of the weights of each two heads of a kind, nats, summed over query tokens.

    The column `divergence` has the pairs of heads in the order of `head_pairs`; of two kinds it is NaN.
    """

    kind: ClassVar[str] = "divergence"
    label: ClassVar[str] = "divergences between heads"
    own: ClassVar[tuple[str, ...]] = ("queries", "divergence")


def head_pairs(heads: int) -> tuple[Int[np.ndarray, " pairs"], Int[np.ndarray, " pairs"]]:
    """The pairs (i, j) of heads with i < j, in the order of the column `divergence`: (0, 1), (0, 2) ... (1, 2) ..."""
    return np.triu_indices(heads, k=1)


def as_matrix(pairs: Float[np.ndarray, "... pairs"], heads: int) -> Float[np.ndarray, "... heads heads"]:
    """Divergences as a symmetric matrix, 0 of a head and itself."""
    matrix = np.zeros((*pairs.shape[:-1], heads, heads))
    i, j = head_pairs(heads)
    matrix[..., i, j] = matrix[..., j, i] = pairs
    return matrix


@dataclass(frozen=True)
class AttendedWords(Observation):
    """For each head and word, where the largest weight is: `row` and `column`, each H x W flat, -1 where there is none.

    `row` is the word that a word attends to most, itself and special tokens left out: to a split word the sum over its
    pieces, from it the mean. `column` is the word that attends to it most. Words count from 0.
    """

    kind: ClassVar[str] = "attended_words"
    label: ClassVar[str] = "attended words"
    own: ClassVar[tuple[str, ...]] = ("row", "column")
    types: ClassVar[Mapping[str, pl.DataType]] = dict.fromkeys(own, pl.List(pl.Int16()))
    reads_words: ClassVar[bool] = True
    places: ClassVar[tuple[str, ...]] = own
