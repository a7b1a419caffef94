"""Attention between words: to a split word the sum over its pieces, from it the mean, chunk by chunk of queries.

Shapes: R rows, H heads, W words that look, V words that are looked at, T and S their pieces.
"""

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from study.masking.sites import AttentionSite
from study.observing.batch import padded
from study.observing.observer import Observer, Pass
from study.observing.patterns import Pattern
from study.observing.watch import watch
from study.observing.words import mean_shares, word_shares
from study.record.errors import InputError
from study.record.syntax import Span, split_words
from study.record.units import AttentionKind, HeadLayout
from study.subjects.subject import Subject, TokenRow
from study.subjects.tokens.facts import NOWHERE, TokenFacts
from study.subjects.tokens.passage import Passage

Shares = Float[np.ndarray, "_ _"]
"""Pieces by words."""


def text_shares(facts: TokenFacts, texts: Sequence[str], words: Sequence[Sequence[Span]], where: str) -> Shares:
    """The share of each piece in each word of some texts, one text after the other.

    Args:
        facts: the pieces.
        texts: the texts.
        words: the words of each.
        where: the name of the example in errors.

    Raises:
        InputError: when it is not known where the pieces stand, or they do not spell the words.
    """
    if (facts.text == NOWHERE).all():
        raise InputError(
            f"{where}: where the pieces of its tokenizer stand in the text is not known, so that its attention cannot "
            "be told by word"
        )
    own = []
    for number, (text, spans) in enumerate(zip(texts, words, strict=True)):
        there = np.where((facts.text == number)[:, None], facts.spans, NOWHERE)
        own.append(word_shares(there, spans, text, where))
    return np.concatenate(own, axis=1)


def passage_shares(passage: Passage, row: TokenRow, kind: AttentionKind) -> tuple[Shares, Shares]:
    """The shares of pieces in words of those who look and of those that are looked at.

    These are the words that the row names, or what blanks and marks part; those of a reference are parted so.
    """
    where = f"example '{row.example}'"
    sides = []
    for facts in passage.sides(kind):
        if passage.target is not None and facts is passage.target and isinstance(row.target, str):
            sides.append(text_shares(facts, [row.target], [split_words(row.target)], where))
        else:
            read = range(len(row.texts)) if passage.answer is None else facts.text.tolist()  # of choices only the right
            parted = [split_words(text) if number in read else () for number, text in enumerate(row.texts)]
            words = [row.words] if row.words else parted
            sides.append(text_shares(facts, row.texts[: len(words)], words, where))
    return sides[0], sides[1]


class WordMaps:
    """Maps between words, that chunks of queries are added to."""

    def __init__(self, shares: Sequence[tuple[Shares, Shares]], device: torch.device) -> None:
        """Take the shares of both sides for each row."""
        self._sizes = [(queries.shape[1], keys.shape[1]) for queries, keys in shares]
        self._means_RTW = padded([mean_shares(queries) for queries, _ in shares]).float().to(device)
        self._keys_RSV = padded([keys for _, keys in shares]).float().to(device)
        self._maps_RHWV: Float[Tensor, "R H W V"] | None = None

    def add(self, pattern: Pattern) -> None:
        """Add a chunk of queries."""
        from_RWQ = self._means_RTW[:, pattern.queries].mT
        part = from_RWQ[:, None] @ (pattern.weights.float() @ self._keys_RSV[:, None])
        self._maps_RHWV = part if self._maps_RHWV is None else self._maps_RHWV + part

    @property
    def is_open(self) -> bool:
        """Whether there is any chunk."""
        return self._maps_RHWV is not None

    def take(self) -> Iterator[Float[np.ndarray, "H W V"]]:
        """The maps of each row, once all chunks are there; the next ones are of another attention."""
        assert self._maps_RHWV is not None
        maps, self._maps_RHWV = self._maps_RHWV.cpu().numpy(), None
        for own, (words, others) in zip(maps, self._sizes, strict=True):
            yield own[:, :words, :others]


class WordPatterns(Observer):
    """Keeps the maps between the words of a single example.

    Attributes:
        found: the maps of every attention, in the order of the model.
    """

    def __init__(self, layout: HeadLayout) -> None:
        """See `Observer`."""
        super().__init__(1, layout)
        self.found: list[tuple[AttentionSite, Float[np.ndarray, "H W V"]]] = []
        self._maps: WordMaps | None = None

    def see(self, pattern: Pattern, now: Pass) -> None:
        """Add a chunk of queries."""
        if self._maps is None:
            kind = pattern.site.kind
            shares = [passage_shares(p, row, kind) for p, row in zip(now.passages, now.examples, strict=True)]
            self._maps = WordMaps(shares, now.device)
        self._maps.add(pattern)

    def see_heads(self, site: AttentionSite, heads: Float[Tensor, "R T H D"], now: Pass) -> None:  # noqa: ARG002
        """Keep the maps of an attention."""
        assert self._maps is not None
        self.found += [(site, maps) for maps in self._maps.take()]
        self._maps = None

    def columns(self) -> dict[str, Tensor]:
        """Nothing is stored."""
        return {}


def word_patterns(
    subject: Subject, row: TokenRow, mask: np.ndarray | None = None
) -> Iterator[tuple[AttentionSite, Float[np.ndarray, "H W V"]]]:
    """Attention between the words of one example, attention by attention.

    What goes to special tokens goes to no word: rows sum to less than 1.

    Args:
        subject: a certified model.
        row: the example, with its texts.
        mask: which heads are on; all when None.

    Raises:
        InputError: when it is not known where the pieces stand in the text, or they do not spell its words.
    """
    observer = WordPatterns(subject.layout)
    watch(subject, [row], (subject.layout.full() if mask is None else mask)[None], [observer])
    yield from observer.found
