"""How often the word that a head chooses is the one that a dependency relation names, as sums over groups of examples.

Both directions of Clark et al. (2019, section 4.2): the word that the dependent attends to most is its head, or the
word that attends to the dependent most is. What a head is compared with is a fixed offset, which has the same number of
hits in both.

Shapes: G = groups, R = relations, D = directions, H = heads, O = offsets, N = words.
"""

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
import polars as pl
from jaxtyping import Bool, Int
from scipy import sparse

from analysis.syntax.word_choices import WordChoices
from study.record.syntax.tree import PUNCTUATION

FARTHEST = 10
"""Offsets from -10 to 10 are tried as the baseline of a relation."""

OFFSETS = np.array([offset for offset in range(-FARTHEST, FARTHEST + 1) if offset])
"""Position of the head less that of the dependent, in words."""

ALL, ALL_BUT_PUNCTUATION = "all", "all_but_punct"
"""Every word, the root among them, whose head nobody can find; and every one that is no punctuation."""

FEWEST_CASES = 100
"""Words that must have a relation for it to be scored."""


class Direction(StrEnum):
    """Which way attention goes along a relation.

    Attributes:
        to_head: from the dependent to its head.
        to_dependent: from the head to its dependent: no other word attends to the dependent as much.
    """

    to_head = "to_head"
    to_dependent = "to_dependent"


@dataclass(frozen=True, eq=False)
class RelationSums:
    """Hits of heads and of fixed offsets.

    Attributes:
        relations: their names; those of the treebank first, the most frequent before others.
        cases: words with each relation.
        hits: how many of them a head finds.
        offsets: how many of them a fixed offset finds, see `OFFSETS`.
    """

    relations: tuple[str, ...]
    cases: Int[np.ndarray, "G R"]
    hits: Int[np.ndarray, "G R D H"]
    offsets: Int[np.ndarray, "G R O"]


def relation_sums(examples: pl.DataFrame, choices: WordChoices, fewest: int = FEWEST_CASES) -> RelationSums:
    """The sums of every relation that at least `fewest` words have, of all words, and of all but punctuation."""
    head = examples["head"].explode().to_numpy().astype(np.int64) - 1
    of_word = examples["relation"].explode()
    is_root = head < 0
    counted = (
        of_word.filter(pl.Series(~is_root) & (of_word != PUNCTUATION))
        .value_counts(sort=True)
        .sort("count", "relation", descending=[True, False])
    )
    names = counted.filter(pl.col("count") >= fewest)["relation"].to_list()
    members = [(of_word == name).to_numpy() & ~is_root for name in names]
    members += [np.ones(len(head), dtype=bool), (of_word != PUNCTUATION).to_numpy()]
    sums = _GroupSums(choices, np.stack(members))
    target = np.where(is_root, -2, head)  # a head that chooses no word, -1, does not find the root
    return RelationSums(
        relations=(*names, ALL, ALL_BUT_PUNCTUATION),
        cases=sums.of(np.ones((1, len(head)), dtype=bool))[..., 0],
        hits=np.stack([sums.of(chosen == target) for chosen in (choices.row, choices.column)], axis=2),
        offsets=sums.of(~is_root & (head - choices.position == OFFSETS[:, None])),
    )


class _GroupSums:
    """Sums over the words of each group and relation; a word may have several relations."""

    def __init__(self, choices: WordChoices, members: Bool[np.ndarray, "R N"]) -> None:
        relation, word = np.nonzero(members)
        self._shape = choices.group_count, len(members)
        place = choices.group[word] * len(members) + relation
        ones = np.ones(len(word), dtype=np.int32)
        self._matrix = sparse.csr_array((ones, (place, word)), shape=(np.prod(self._shape), members.shape[1]))

    def of(self, marks: Bool[np.ndarray, "K N"]) -> Int[np.ndarray, "G R K"]:
        """How many words are marked, by each of several sets of marks."""
        return np.asarray(self._matrix @ marks.T.astype(np.int32)).reshape(*self._shape, len(marks))
