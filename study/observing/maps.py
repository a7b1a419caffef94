"""The whole attention maps of a few examples, kept where they are to be looked at: of all others only sums are kept.

Shapes: T query tokens, S key tokens.
"""

from collections.abc import Callable, Collection, Sequence
from typing import Any

import numpy as np
import polars as pl
from jaxtyping import Bool, Float

from study.observing.observer import Observer, Pass
from study.observing.patterns import Pattern
from study.observing.watch import watch
from study.record.maps.sentence_maps import SentenceMaps, Side
from study.record.maps.stored_maps import map_columns
from study.record.syntax import Span, split_words
from study.record.tables.maps import COLUMNS
from study.record.units import Head, HeadLayout
from study.subjects.subject import Subject, TokenRow
from study.subjects.tokens.facts import MARKS, TokenFacts
from study.subjects.tokens.passage import Passage

CONTINUED = "##"
"""What a token begins with, as it is shown, that goes on with a word."""

LINE_END = "Ċ"
"""How tokenizers of bytes spell the end of a line."""


class MapKeeper(Observer):
    """Keeps the maps of each example; of a text that is read in several windows those of the first.

    Of weights that several layers share (ALBERT) it keeps the mean over these. A head that is off still looks.
    """

    def __init__(
        self, num_rows: int, layout: HeadLayout, keep: Callable[[SentenceMaps], Any], layers: Collection[int] = ()
    ) -> None:
        """Take what is kept of the maps of an example, and the layers that are wanted; all when none is named."""
        super().__init__(num_rows, layout)
        self._keep, self._layers = keep, layers
        self._found: dict[int, tuple[int, Any]] = {}
        self._sums: dict[int, dict[Head, tuple[Float[np.ndarray, "T S"], int]]] = {}

    @property
    def found(self) -> list[Any]:
        """What was kept, by example."""
        return [self._found[i][1] for i in range(self.num_rows)]

    def see(self, pattern: Pattern, now: Pass) -> None:
        """Take a chunk of queries of each example."""
        site = pattern.site
        if self._layers and site.layer not in self._layers:
            return
        weights = pattern.weights.float().cpu().numpy()
        for i, owner in self._new(now):
            passage = now.passages[i]
            shape = len(passage.queries(site.kind)), len(passage.keys(site.kind))
            own = self._sums.setdefault(owner, {})
            for index, part in enumerate(weights[i]):
                head = Head(site.kind, site.layer, index)
                whole, uses = own.get(head) or (np.zeros(shape, dtype=np.float32), 0)
                rows = whole[pattern.queries]
                rows += part[: len(rows), : shape[1]]
                own[head] = whole, uses + (pattern.queries.start == 0)

    def finish(self, now: Pass) -> None:
        """Make maps of what was seen."""
        for i, owner in self._new(now):
            sums = self._sums.pop(owner)
            weights = {head: sums[head][0] / sums[head][1] for head in sorted(sums)}
            maps = _maps(self.layout, now.passages[i], now.examples[i], weights)
            self._found[owner] = _start(now.passages[i]), self._keep(maps)

    def columns(self) -> dict[str, pl.Series]:
        """What was kept, where it is the columns of an example in the table `Maps`."""
        return {
            name: pl.Series([columns[name] for columns in self.found], dtype=dtype) for name, dtype in COLUMNS.items()
        }

    def _new(self, now: Pass) -> list[tuple[int, int]]:
        """The rows of a pass that are earlier in their example than what was kept of it, each with its position."""
        firsts: dict[int, int] = {}
        for i, owner in enumerate(now.owners.tolist()):
            before = firsts.get(owner)
            kept = self._found[owner][0] if before is None and owner in self._found else None
            best = kept if before is None else _start(now.passages[before])
            if best is None or _start(now.passages[i]) < best:
                firsts[owner] = i
        return [(i, owner) for owner, i in firsts.items()]


def _start(passage: Passage) -> int:
    """Where a passage begins in its text; 0 where that is not known."""
    return int(min((start for start, end in passage.source.spans if start < end), default=0))


def map_rows(num_rows: int, layout: HeadLayout) -> MapKeeper:
    """What takes the rows of the table `Maps`."""
    return MapKeeper(num_rows, layout, map_columns)


def sentence_maps(
    subject: Subject, row: TokenRow, mask: Bool[np.ndarray, " width"] | None = None, layers: Collection[int] = ()
) -> SentenceMaps:
    """What every head looks at in an example.

    Args:
        subject: a certified model.
        row: the example, with its texts.
        mask: which units are on; all of them when None.
        layers: the layers whose maps are wanted; all when none is named.
    """
    keeper = MapKeeper(1, subject.layout, lambda maps: maps, layers)
    watch(subject, [row], (subject.layout.full() if mask is None else mask)[None], [keeper])
    return keeper.found[0]


def _maps(
    layout: HeadLayout, passage: Passage, row: TokenRow, weights: dict[Head, Float[np.ndarray, "T S"]]
) -> SentenceMaps:
    written = (row.target,) if isinstance(row.target, str) and row.target else row.texts
    return SentenceMaps(
        example=row.example,
        layout=layout,
        source=side(passage.source, row.texts, row.words),
        target=None if passage.target is None else side(passage.target, written),
        weights=weights,
    )


def side(facts: TokenFacts, texts: Sequence[str], words: Sequence[Span] = ()) -> Side:
    """Tokens, and the words that they make: those of the text, or more in one where a token has parts of both.

    Args:
        facts: the tokens.
        texts: what they are tokens of.
        words: where the words of the first text are; white space and punctuation part them when there are none.
    """
    spans = [words if i == 0 and words else split_words(text) for i, text in enumerate(texts)]
    parts = [_words_of(facts, token, spans) for token in range(len(facts))]
    begins = [i == 0 or not parts[i] & parts[i - 1] for i in range(len(parts))]
    word_of = np.cumsum(begins) - 1
    return Side(
        tokens=tuple(_shown(facts, (i, i), texts, begins[i]) for i in range(len(facts))),
        words=tuple(_shown(facts, _ends(word_of, word), texts) for word in range(sum(begins))),
        word_of=word_of,
        special=facts.special,
    )


def _words_of(facts: TokenFacts, token: int, spans: Sequence[Sequence[Span]]) -> set[tuple[int, int]]:
    """The words that a token has characters of, as pairs of numbers: that of the text, and of the word in it."""
    text, (start, end) = int(facts.text[token]), facts.spans[token]
    if not 0 <= text < len(spans):
        return set()
    return {(text, i) for i, word in enumerate(spans[text]) if word[0] < end and start < word[1]}


def _ends(word_of: np.ndarray, word: int) -> tuple[int, int]:
    """The first and the last token of a word."""
    tokens = np.flatnonzero(word_of == word)
    return int(tokens[0]), int(tokens[-1])


def _shown(facts: TokenFacts, ends: tuple[int, int], texts: Sequence[str], begins: bool = True) -> str:
    """Tokens as people read them: as the text has them, or without the marks of the tokenizer."""
    first, last = ends
    text, start, end = int(facts.text[first]), facts.spans[first][0], facts.spans[last][1]
    if 0 <= text < len(texts) and start < end:
        shown = texts[text][start:end]
    else:
        shown = facts.pieces[first].replace(LINE_END, "↵").strip(MARKS) or facts.pieces[first]
    return shown if begins else f"{CONTINUED}{shown}"
