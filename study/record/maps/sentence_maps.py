"""The attention maps of one example: its tokens, the words that they make, and the weights of every head.

Attention *to* a word is the sum over its tokens, attention *from* it the mean (Clark et al. 2019), so that rows of
words sum to what rows of tokens do. A special token is a word of its own.

Shapes: T query tokens, S key tokens, W words of a side.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Bool, Float, Int

from study.record.errors import InputError
from study.record.units import AttentionKind, Head, HeadLayout


@dataclass(frozen=True)
class Side:
    """What attention looks from, or at: the tokens of a text in their order.

    Attributes:
        tokens: text of each token, as it is shown.
        words: text of each word.
        word_of: the word that each token belongs to, ascending from 0.
        special: whether a token stands for no text: [CLS], [SEP], BOS, EOS.
    """

    tokens: tuple[str, ...]
    words: tuple[str, ...]
    word_of: Int[np.ndarray, " T"]
    special: Bool[np.ndarray, " T"]

    def __post_init__(self) -> None:
        if not len(self.tokens) == len(self.word_of) == len(self.special):
            raise ValueError(f"{len(self.tokens)} tokens, {len(self.word_of)} in words, {len(self.special)} marks")
        if not np.array_equal(np.unique(self.word_of), np.arange(len(self.words))) or (np.diff(self.word_of) < 0).any():
            raise ValueError("every word needs tokens, and words follow each other")

    @cached_property
    def special_words(self) -> Bool[np.ndarray, " W"]:
        """Whether a word is a special token."""
        return self.special[np.searchsorted(self.word_of, np.arange(len(self.words)))]


@dataclass(frozen=True)
class SentenceMaps:
    """What every head looks at in one example.

    Attributes:
        example: id of the example.
        layout: the heads.
        source: what the model reads: the only text of a classifier or a language model, the source of a translation.
        target: the text of a translation so far, from its first token on; None where there is none.
        weights: by head, how much of the attention of each query token goes to each key token; perhaps of some layers.
    """

    example: str
    layout: HeadLayout
    source: Side
    target: Side | None
    weights: Mapping[Head, Float[np.ndarray, "T S"]]

    def queries(self, kind: AttentionKind) -> Side:
        """What heads of a kind look from."""
        return self.source if kind is AttentionKind.ENCODER_SELF else self.target or self.source

    def keys(self, kind: AttentionKind) -> Side:
        """What heads of a kind look at."""
        return self.source if kind is AttentionKind.CROSS else self.queries(kind)

    def word_weights(self, head: Head) -> Float[np.ndarray, "W V"]:
        """How much of the attention of each word goes to each word."""
        return between_words(self.weights[head], self.queries(head.kind), self.keys(head.kind))

    def find(self, name: str) -> Head:
        """The head of an address, `encoder_self.2.3`; where the model has one kind of attention also `L2H3` or `2.3`.

        Raises:
            InputError: when there is none, or several have the name.
        """
        return find_head(name, self.layout)


def between_words(weights: Float[np.ndarray, "T S"], queries: Side, keys: Side) -> Float[np.ndarray, "W V"]:
    """Weights of tokens as weights of words: the sum over the tokens of a key, the mean over those of a query."""
    starts = np.flatnonzero(np.diff(keys.word_of, prepend=-1))
    rows = np.flatnonzero(np.diff(queries.word_of, prepend=-1))
    to_words = np.add.reduceat(weights.astype(np.float64), starts, axis=1)
    return np.add.reduceat(to_words, rows, axis=0) / np.bincount(queries.word_of)[:, None]


def find_head(name: str, layout: HeadLayout) -> Head:
    """The head that a name means: an address, or without the kind of attention `L2H3` or `2.3`, in small letters too.

    Raises:
        InputError: when there is none, or several have the name.
    """
    wanted = name.strip().casefold()
    found = [head for head in layout.heads if wanted in _spellings(head)]
    if len(found) == 1:
        return found[0]
    if found:
        raise InputError(f"'{name}' is the name of {', '.join(map(str, found))}: add the kind of attention")
    raise InputError(
        f"no head is called '{name}': the model has {layout}, from {layout.heads[0]} to {layout.heads[-1]}"
    )


def _spellings(head: Head) -> tuple[str, ...]:
    short = f"l{head.layer}h{head.index}"
    return str(head), short, f"{head.layer}.{head.index}", f"{head.kind}.{short}", f"{head.kind}:{short}"
