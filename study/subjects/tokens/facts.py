"""What is known of the tokens of one text as a model reads it.

Shapes: T tokens.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from jaxtyping import Bool, Int

NOWHERE = -1
"""Start, end and text of a token that stands for no text, or for a part that is not known."""

PUNCTUATION = frozenset(".,")
"""What counts as punctuation: full stops and commas, as in Clark et al. (2019)."""

MARKS = "\u2581\u0120#@ \n\t"
"""What tokenizers put around a piece to say that a word begins or goes on, and blanks."""


@dataclass(frozen=True)
class TokenFacts:
    """The tokens of one text in their order.

    Attributes:
        ids: their numbers in the vocabulary.
        pieces: how each is spelled in the vocabulary.
        special: whether it is a token that the model's format adds to the text.
        beginning: whether it opens what the model reads ([CLS], BOS, the token that a decoder starts from).
        separator: whether it closes a text ([SEP], EOS).
        spans: first character and the one behind the last in its text, (-1, -1) where it stands for none.
        text: number of its text in the example, -1 where it stands for none.
    """

    ids: Int[np.ndarray, " T"]
    pieces: tuple[str, ...]
    special: Bool[np.ndarray, " T"]
    beginning: Bool[np.ndarray, " T"]
    separator: Bool[np.ndarray, " T"]
    spans: Int[np.ndarray, "T 2"]
    text: Int[np.ndarray, " T"]

    def __len__(self) -> int:
        return len(self.ids)

    @cached_property
    def punctuation(self) -> Bool[np.ndarray, " T"]:
        """Whether it is a full stop or a comma, see `PUNCTUATION`."""
        return np.array([piece.strip(MARKS) in PUNCTUATION for piece in self.pieces], dtype=bool) & ~self.special

    def cut(self, part: slice) -> "TokenFacts":
        """Some of the tokens."""
        arrays = ("ids", "special", "beginning", "separator", "spans", "text")
        return replace(self, pieces=self.pieces[part], **{name: getattr(self, name)[part] for name in arrays})

    def behind(self, start: int, piece: str) -> "TokenFacts":
        """What a decoder reads that has to say these tokens: the token that it starts from, and all but the last."""
        first = describe([start], [piece], special=[start], beginnings=[start])
        arrays = ("ids", "special", "beginning", "separator", "spans", "text")
        both = {name: np.concatenate([getattr(first, name), getattr(self, name)[:-1]]) for name in arrays}
        return TokenFacts(pieces=(piece, *self.pieces[:-1]), **both)


def describe(
    ids: Sequence[int],
    pieces: Sequence[str],
    *,
    special: Sequence[int] = (),
    beginnings: Sequence[int] = (),
    separators: Sequence[int] = (),
    spans: Sequence[tuple[int, int]] | None = None,
    text: Sequence[int | None] | None = None,
) -> TokenFacts:
    """The facts of some tokens.

    Args:
        ids: their numbers.
        pieces: how they are spelled.
        special: numbers of all special tokens.
        beginnings: numbers of those that open a text; one that closes texts as well opens it as the first token only.
        separators: numbers of those that close a text.
        spans: characters of each token; unknown when None.
        text: number of the text of each token; 0 where it has characters when None.
    """
    numbers = np.array(ids, dtype=np.int64)
    is_special = np.isin(numbers, np.array(special, dtype=np.int64))
    first = np.arange(len(numbers)) == 0
    opens = np.isin(numbers, np.array(beginnings, dtype=np.int64))
    closes = np.isin(numbers, np.array(separators, dtype=np.int64))
    where = np.full((len(numbers), 2), NOWHERE) if spans is None else np.array(spans).reshape(-1, 2)
    own = (
        np.where(where[:, 0] < 0, NOWHERE, 0) if text is None else np.array([NOWHERE if i is None else i for i in text])
    )
    where = np.where((is_special | (own < 0))[:, None], NOWHERE, where)
    beginning = is_special & opens & (first | ~closes)
    return TokenFacts(
        ids=numbers,
        pieces=tuple(pieces),
        special=is_special,
        beginning=beginning,
        separator=is_special & closes & ~beginning,
        spans=where.astype(np.int64),
        text=np.where(where[:, 0] < 0, NOWHERE, own).astype(np.int64),
    )
