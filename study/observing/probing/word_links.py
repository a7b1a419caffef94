"""The maps that a probe reads: attention between the words of a sentence, opening and closing tokens as two words more.

Maps of an example are there while its pass lasts, unless who takes them keeps them.

Shapes: H heads, W words, V = W + 2: the words, then what opens the text ([CLS], BOS), then what closes it ([SEP], EOS).
"""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from torch import Tensor

from study.masking.sites import AttentionSite
from study.observing.observer import Observer, Pass
from study.observing.patterns import Pattern
from study.observing.watch import watch
from study.observing.word_patterns import Shares, WordMaps, text_shares
from study.record.syntax import split_words
from study.record.units import AttentionKind, Head, HeadLayout
from study.subjects.subject import Subject, TokenRow
from study.subjects.tokens.passage import Passage

EXTRA = 2
"""Words more: the opening and the closing tokens, of which there may be none."""


@dataclass(frozen=True)
class WordLinks:
    """What a probe reads of a sentence.

    Attributes:
        maps: how much each word attends to each; rows and columns of tokens that the model does not read are 0.
        has_ends: whether the model reads an opening or a closing token.
    """

    maps: Float[np.ndarray, "H V V"]
    has_ends: bool

    @property
    def num_words(self) -> int:
        """Words of the sentence."""
        return self.maps.shape[-1] - EXTRA


def read_heads(layout: HeadLayout) -> tuple[Head, ...]:
    """The heads that attend between the words of one text: those of the encoder, or of a decoder that stands alone."""
    kind = AttentionKind.ENCODER_SELF if AttentionKind.ENCODER_SELF in layout.counts else AttentionKind.DECODER_SELF
    return tuple(head for head in layout.heads if head.kind is kind)


class LinkReader(Observer):
    """Gives the maps of each example to who takes them, at the end of each pass.

    Of weights that several layers share (ALBERT) it gives the mean over these.
    """

    def __init__(self, num_rows: int, layout: HeadLayout, take: Callable[[int, WordLinks], None]) -> None:
        """Give to `take` the position of each example, and what a probe reads of it."""
        super().__init__(num_rows, layout)
        self._heads, self._take = read_heads(layout), take
        self._words: WordMaps | None = None
        self._maps: list[Float[np.ndarray, "H V V"]] = []
        self._uses: Counter[int] = Counter()

    def see(self, pattern: Pattern, now: Pass) -> None:
        """Add a chunk of queries to the maps of a site."""
        if pattern.site.kind is self._heads[0].kind:
            if self._words is None:
                every = [_shares(p, row) for p, row in zip(now.passages, now.examples, strict=True)]
                self._words = WordMaps([(shares, shares) for shares in every], now.device)
                sizes = [(len(self._heads), shares.shape[1], shares.shape[1]) for shares in every]
                self._maps = [np.zeros(size, dtype=np.float32) for size in sizes]
            self._words.add(pattern)

    def see_heads(self, site: AttentionSite, heads: Float[Tensor, "R T H D"], now: Pass) -> None:  # noqa: ARG002
        """Take the maps of a site, once they are whole."""
        if self._words is None or not self._words.is_open:
            return
        first = self.layout.index(self._heads[0])
        own = slice(self.place(site).start - first, self.place(site).stop - first)
        self._uses.update(range(*own.indices(len(self._heads))))
        for maps, part in zip(self._maps, self._words.take(), strict=True):
            maps[own] += part

    def finish(self, now: Pass) -> None:
        """Give the maps of a pass."""
        uses = np.array([self._uses[head] or 1 for head in range(len(self._heads))], dtype=np.float32)
        for owner, passage, maps in zip(now.owners.tolist(), now.passages, self._maps, strict=True):
            has_ends = bool(passage.source.beginning.any() or passage.source.separator.any())
            self._take(owner, WordLinks(maps / uses[:, None, None], has_ends))
        self._words, self._maps, self._uses = None, [], Counter()

    def columns(self) -> dict[str, Tensor]:
        """Nothing is stored."""
        return {}


def read_links(subject: Subject, rows: Sequence[TokenRow]) -> list[WordLinks]:
    """What a probe reads of some examples, in half precision, as whoever keeps many of them has room for.

    Raises:
        PatternError: when the patterns of this model cannot be told.
        InputError: when the pieces of a text do not spell its words.
    """
    found: dict[int, WordLinks] = {}

    def keep(owner: int, links: WordLinks) -> None:
        found[owner] = WordLinks(links.maps.astype(np.float16), links.has_ends)

    masks = np.tile(subject.layout.full(), (len(rows), 1))
    watch(subject, rows, masks, [LinkReader(len(rows), subject.layout, keep)])
    return [found[owner] for owner in range(len(rows))]


def _shares(passage: Passage, row: TokenRow) -> Shares:
    """The shares of pieces in the words of the first text, in what opens it and in what closes it."""
    words, facts = row.words or split_words(row.texts[0]), passage.source
    own = text_shares(facts, row.texts[:1], [words], f"example '{row.example}'")
    return np.concatenate([own, facts.beginning[:, None], facts.separator[:, None]], axis=1)
