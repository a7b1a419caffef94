"""Where pieces stand in a text, found by spelling them: for tokenizers that do not tell it themselves."""

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

from study.subjects.tokens.facts import NOWHERE

Spans = list[tuple[int, int]]


@dataclass(frozen=True)
class TextPieces:
    """The pieces of a text.

    Attributes:
        pieces: how each is spelled.
        spans: first character of each in the text and the one behind its last, (-1, -1) where it stands for none; None
            where they are not known.
    """

    pieces: tuple[str, ...]
    spans: Spans | None = None


def spelled_spans(pieces: Sequence[str], text: str) -> Spans | None:
    """The characters of each piece, one piece after the other; None where they do not spell the text.

    Blanks may stand anywhere between two characters; case, accents and other forms of a letter are let pass.

    Args:
        pieces: the text in pieces, without marks; an empty one stands for nothing.
        text: the text.
    """
    letters = [(letter, i) for i, character in enumerate(text) for letter in _letters(character)]
    spans: Spans = []
    done = 0
    for piece in pieces:
        own = _letters(piece)
        found = letters[done : done + len(own)]
        if "".join(letter for letter, _ in found) != own:
            return None
        spans.append((found[0][1], found[-1][1] + 1) if own else (NOWHERE, NOWHERE))
        done += len(own)
    return spans if done == len(letters) else None


def _letters(text: str) -> str:
    """What of a text is compared."""
    parts = unicodedata.normalize("NFKD", text.casefold())
    return "".join(
        part for part in parts if not part.isspace() and unicodedata.category(part) not in ("Mn", "Cf", "Cc")
    )
