"""The observer of words: which word each head of each word looks at most, and which looks at it most.

Only attention between the words of the first text of an example is looked at: that of an encoder, or of a decoder
that stands alone.
"""

import numpy as np
from jaxtyping import Float, Int
from torch import Tensor

from study.masking.sites import AttentionSite
from study.observing.observer import Observer, Pass
from study.observing.patterns import Pattern
from study.observing.word_patterns import Shares, WordMaps, text_shares
from study.observing.words import most_attended
from study.record.syntax import split_words
from study.record.units import AttentionKind, HeadLayout
from study.subjects.subject import TokenRow
from study.subjects.tokens.passage import Passage


class WordChoices(Observer):
    """Finds the words of the largest weights, site by site."""

    def __init__(self, num_rows: int, layout: HeadLayout) -> None:
        """See `Observer`."""
        super().__init__(num_rows, layout)
        self._found: dict[int, dict[str, Int[np.ndarray, "H W"]]] = {}
        self._maps: WordMaps | None = None

    def see(self, pattern: Pattern, now: Pass) -> None:
        """Add a chunk of queries to the maps between words."""
        if now.passages[0].target is None or pattern.site.kind is AttentionKind.ENCODER_SELF:
            if self._maps is None:
                shares = [_own_shares(p, row) for p, row in zip(now.passages, now.examples, strict=True)]
                self._maps = WordMaps(shares, now.device)
            self._maps.add(pattern)

    def see_heads(self, site: AttentionSite, heads: Float[Tensor, "R T H D"], now: Pass) -> None:  # noqa: ARG002
        """Choose the words of the largest weights, once the maps of a site are whole."""
        if self._maps is None or not self._maps.is_open:
            return
        for owner, maps in zip(now.owners.tolist(), self._maps.take(), strict=True):
            own = self._found.setdefault(owner, self._none(maps.shape[-1]))
            own["row"][self.place(site)], own["column"][self.place(site)] = most_attended(maps)

    def finish(self, now: Pass) -> None:  # noqa: ARG002
        """Forget the words of a pass."""
        self._maps = None

    def _none(self, num_words: int) -> dict[str, Int[np.ndarray, "H W"]]:
        return {name: np.full((len(self.layout), num_words), -1, dtype=np.int16) for name in ("row", "column")}

    def columns(self) -> dict[str, list[Int[np.ndarray, " HW"]]]:
        """The words by head and word, one list for each example."""
        return {name: [self._found[i][name].ravel() for i in range(self.num_rows)] for name in ("row", "column")}


def _own_shares(passage: Passage, row: TokenRow) -> tuple[Shares, Shares]:
    """The shares of pieces in the words of the first text, for both sides."""
    words = row.words or split_words(row.texts[0])
    own = text_shares(passage.source, row.texts[:1], [words], f"example '{row.example}'")
    return own, own
