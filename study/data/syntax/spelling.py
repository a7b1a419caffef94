"""Where the words of an annotated sentence stand in its text, found by their forms: blanks need not part them."""

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from study.record.errors import InputError
from study.record.syntax import Span


class Contraction(NamedTuple):
    """Several words that are written as one: French `du` for `de le`.

    Attributes:
        first: number of its first word, from 1.
        last: number of its last word.
        form: how they are written.
    """

    first: int
    last: int
    form: str


def locate(forms: Sequence[str], contractions: Sequence[Contraction], text: str) -> list[Span]:
    """Where each word stands.

    The words of a contraction stand one behind the other where they spell it (`do` and `n't`); otherwise each stands
    for the whole (`de` and `le` for `du`).

    Raises:
        InputError: when the words do not spell the text, and all of it; says where they part.
    """
    spans: list[Span] = []
    at = 0
    for first, last, form in _written(forms, contractions):
        start = _after_blanks(text, at)
        end = _end(form, text, start)
        if end is None:
            goes_on = f"goes on with '{text[start : start + 20]}'" if text[start:] else "has ended"
            raise InputError(f"word {first} is '{form}', but the text {goes_on}: the words must spell '# text'")
        spans += _parts(forms[first - 1 : last], start, text[start:end])
        at = end
    if text[at:].strip():
        raise InputError(f"no word spells the end of the text, '{text[at:].strip()[:20]}': they must spell '# text'")
    return spans


def _after_blanks(text: str, at: int) -> int:
    while text[at : at + 1].isspace():
        at += 1
    return at


def _end(form: str, text: str, start: int) -> int | None:
    """Where a form that begins at a place of a text ends; blanks in it may be more, or others, in the text."""
    if text.startswith(form, start):
        return start + len(form)
    match = re.compile(r"\s+".join(map(re.escape, form.split()))).match(text, start) if len(form.split()) > 1 else None
    return match.end() if match else None


def _written(forms: Sequence[str], contractions: Sequence[Contraction]) -> Iterator[Contraction]:
    """What is written, in order: contractions, and words by themselves."""
    by_first = {contraction.first: contraction for contraction in contractions}
    number = 1
    while number <= len(forms):
        written = by_first.pop(number, Contraction(number, number, forms[number - 1]))
        yield written
        number = written.last + 1
    if by_first or number > len(forms) + 1:
        raise InputError("a range of words, such as 1-2, meets another one or has words that are not there")


def _parts(forms: Sequence[str], start: int, written: str) -> Iterator[Span]:
    """The place of each word of what is written: one behind the other, or all of it where they do not spell it."""
    whole = len(forms) == 1 or "".join(forms) != written
    for form in forms:
        end = start + len(written if whole else form)
        yield start, end
        start = start if whole else end
