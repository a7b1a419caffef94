"""Is a text raw? A translation model tokenises and segments by itself, so what it is given must not be so already.

Text that was tokenised but not segmented, or segmented twice, is translated without a complaint and costs many BLEU:
it must be noticed here. Each sign below is seen in nearly none of the lines of raw text and in most of processed text.
"""

import re
from collections.abc import Sequence
from pathlib import Path

from study.record.errors import InputError

SEGMENTED = re.compile(r"@@(?= |$)|▁")
"""What subword-nmt and sentencepiece leave between the pieces of a word."""
MAX_SEGMENTED = 0.02
"""Share of lines."""

ESCAPED = re.compile(r"&(?:apos|quot|amp|lt|gt|#91|#93|#124);| @-@ ")
"""What the Moses tokeniser writes for ' " & < > [ ] | and, with its aggressive option, for a hyphen."""
MAX_ESCAPED = 0.05
"""Share of lines: web text has the odd `&amp;`."""

SENTENCE_MARK = re.compile(r"(?<![.,])[.,،。、,](?= |$)")
"""A comma or full stop at the end of a word. No other marks: French sets a space before ? ! : ; » in raw text."""
APART = re.compile(r"(?<= )[.,،。、,](?= |$)")
"""One that stands by itself."""
MAX_APART = 0.5
"""Share of the marks."""


def require_raw(lines: Sequence[str], path: Path) -> None:
    """Check that a text was neither tokenised nor segmented into subwords.

    Raises:
        InputError: when it looks as if it was; says by which sign, in how much of the text and where first.
    """
    sign = processing_sign(lines)
    if sign is not None:
        raise InputError(
            f"{path} looks {sign}. It must be raw text: the model's own text processing tokenises and segments it. "
            f"Give the unprocessed file, or say data.raw=false if the text is meant to be so"
        )


def processing_sign(lines: Sequence[str]) -> str | None:
    """What tells that a text is not raw, in words; None when nothing does."""
    if _share_of_lines(SEGMENTED, lines) > MAX_SEGMENTED:
        return f"BPE'd already (subword marks in {_found(SEGMENTED, lines)})"
    if _share_of_lines(ESCAPED, lines) > MAX_ESCAPED:
        return f"Moses-tokenised (escapes in {_found(ESCAPED, lines)})"
    if share_apart(lines) > MAX_APART:
        return (
            f"tokenised ({share_apart(lines):.0%} of its commas and full stops stand apart, in {_found(APART, lines)})"
        )
    return None


def share_apart(lines: Sequence[str]) -> float:
    """How many of the commas and full stops at the end of a word stand by themselves; 0 when there are none."""
    marks = sum(len(SENTENCE_MARK.findall(line)) for line in lines)
    return sum(len(APART.findall(line)) for line in lines) / marks if marks else 0.0


def _share_of_lines(pattern: re.Pattern[str], lines: Sequence[str]) -> float:
    return sum(pattern.search(line) is not None for line in lines) / len(lines)


def _found(pattern: re.Pattern[str], lines: Sequence[str]) -> str:
    first = next(number for number, line in enumerate(lines, start=1) if pattern.search(line))
    return f"{_share_of_lines(pattern, lines):.0%} of the lines, first in line {first}: {lines[first - 1][:60]!r}"
