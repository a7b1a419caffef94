"""The tokens of the passages that are read in one pass, as tensors: who looks, and what is looked at.

Shapes: R rows, T tokens that look (queries), S tokens that are looked at (keys).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from jaxtyping import Bool, Int
from torch import Tensor

from study.record.units import AttentionKind
from study.subjects.tokens.facts import NOWHERE, TokenFacts
from study.subjects.tokens.passage import Passage


@dataclass(frozen=True)
class Batch:
    """The queries and keys of one kind of attention; shorter rows end in padding.

    Attributes:
        passages: what is read, a passage a row.
        kind: the kind of attention.
        device: where the tensors are.
    """

    passages: Sequence[Passage]
    kind: AttentionKind
    device: torch.device

    @cached_property
    def queries(self) -> list[TokenFacts]:
        """The tokens that look, by row."""
        return [passage.queries(self.kind) for passage in self.passages]

    @cached_property
    def keys(self) -> list[TokenFacts]:
        """The tokens that are looked at, by row."""
        return [passage.keys(self.kind) for passage in self.passages]

    @cached_property
    def counted(self) -> Bool[Tensor, "R T"]:
        """Which tokens count as queries: those of the text that did not count in an earlier window.

        Of a text without a translation the decoder reads the token that it starts from alone, which does not count:
        every head looks at it.
        """
        numbers = [
            np.arange(len(facts)) >= self._first(passage)
            for passage, facts in zip(self.passages, self.queries, strict=True)
        ]
        return self._tensor(numbers, fill=False)

    def _first(self, passage: Passage) -> int:
        if passage.target is None:
            return passage.first_query
        return int(self.kind is not AttentionKind.ENCODER_SELF and len(passage.target) == 1)

    @cached_property
    def special_queries(self) -> Bool[Tensor, "R T"]:
        """Which queries are special tokens."""
        return self._query_column(lambda facts: facts.special, fill=True)

    @cached_property
    def special_keys(self) -> Bool[Tensor, "R S"]:
        """Which keys are special tokens, or padding."""
        return self._key_column(lambda facts: facts.special, fill=True)

    @cached_property
    def beginning(self) -> Bool[Tensor, "R S"]:
        """Which keys open what is read."""
        return self._key_column(lambda facts: facts.beginning, fill=False)

    @cached_property
    def separator(self) -> Bool[Tensor, "R S"]:
        """Which keys close a text."""
        return self._key_column(lambda facts: facts.separator, fill=False)

    @cached_property
    def punctuation(self) -> Bool[Tensor, "R S"]:
        """Which keys are full stops or commas."""
        return self._key_column(lambda facts: facts.punctuation, fill=False)

    @cached_property
    def ids(self) -> Int[Tensor, "R T"]:
        """Numbers of the tokens that look, -1 where there is padding."""
        return self._query_column(lambda facts: facts.ids, fill=NOWHERE)

    @cached_property
    def answer(self) -> Int[Tensor, " R"]:
        """The first token that answers; no token of a row that answers nothing."""
        first = [
            len(facts) if p.answer is None else p.answer for p, facts in zip(self.passages, self.queries, strict=True)
        ]
        return torch.tensor(first, device=self.device)

    def _query_column(self, column: Callable[[TokenFacts], np.ndarray], fill: bool | int) -> Tensor:
        return self._tensor([column(facts) for facts in self.queries], fill)

    def _key_column(self, column: Callable[[TokenFacts], np.ndarray], fill: bool | int) -> Tensor:
        return self._tensor([column(facts) for facts in self.keys], fill)

    def _tensor(self, rows: Sequence[np.ndarray], fill: bool | int) -> Tensor:
        return padded(rows, fill).to(self.device)


def padded(rows: Sequence[np.ndarray], fill: bool | int | float = 0) -> Tensor:
    """Arrays of one number of axes as one tensor, those that are smaller filled up at the end of each axis."""
    shape = np.max([row.shape for row in rows], axis=0)
    whole = np.full((len(rows), *shape), fill, dtype=rows[0].dtype)
    for place, row in zip(whole, rows, strict=True):
        place[tuple(map(slice, row.shape))] = row
    return torch.from_numpy(whole)


def batches(
    passages: Sequence[Passage], fits: Callable[[int, int, int], bool], *, pads: bool
) -> list[Int[np.ndarray, " batch"]]:
    """Positions of passages that are read in one pass: of one length each, or of like length where rows are padded.

    Args:
        passages: what is read.
        fits: whether so many passages may stand in one pass, given their longest source and target; one always may.
        pads: whether passages of different lengths may stand in one pass.
    """
    lengths = [passage.lengths for passage in passages]
    found: list[list[int]] = []
    for i in sorted(range(len(passages)), key=lengths.__getitem__):
        both = [*found[-1], i] if found and (pads or lengths[found[-1][0]] == lengths[i]) else [i]
        source, target = (max(column) for column in zip(*(lengths[k] for k in both), strict=True))
        if fits(len(both), source, target) and len(both) > 1:
            found[-1] = both
        else:
            found.append([i])
    return [np.array(batch) for batch in found]
