"""A passage: what one forward pass reads of an example when its attention is observed."""

from dataclasses import dataclass

from study.record.units import AttentionKind
from study.subjects.tokens.facts import TokenFacts


@dataclass(frozen=True)
class Passage:
    """Tokens that a model reads at once: a classifier's example, a window of a text, a source and its translation.

    Attributes:
        source: the tokens of the encoder, or of the only stack.
        target: the tokens that a decoder beside an encoder reads; None where there is none.
        segments: segment of each source token, for models that tell premise from hypothesis so.
        first_query: the first token that counts as a query: those before it counted in an earlier window of the text.
        answer: the first token that answers; None where nothing is answered.
    """

    source: TokenFacts
    target: TokenFacts | None = None
    segments: tuple[int, ...] | None = None
    first_query: int = 0
    answer: int | None = None

    @property
    def lengths(self) -> tuple[int, int]:
        """Tokens of the source and of the target."""
        return len(self.source), len(self.target or ())

    def queries(self, kind: AttentionKind) -> TokenFacts:
        """The tokens that look."""
        return self.source if self.target is None or kind is AttentionKind.ENCODER_SELF else self.target

    def keys(self, kind: AttentionKind) -> TokenFacts:
        """The tokens that are looked at."""
        return self.target if self.target is not None and kind is AttentionKind.DECODER_SELF else self.source

    def sides(self, kind: AttentionKind) -> tuple[TokenFacts, TokenFacts]:
        """The tokens that look, and those that are looked at."""
        return self.queries(kind), self.keys(kind)
