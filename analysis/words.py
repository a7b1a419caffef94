"""Numbers and names as people read them: on the page, in figures and on the terminal."""

import re
from collections.abc import Mapping
from typing import Any

KIND_NAMES = {
    "encoder_self": "encoder self-attention",
    "decoder_self": "decoder self-attention",
    "cross": "encoder–decoder attention",
}
"""The paper's Enc-Enc, Dec-Dec and Enc-Dec."""

KIND_LABELS = {"encoder_self": "encoder self", "decoder_self": "decoder self", "cross": "encoder–decoder"}
"""The same where room is scarce."""

SCORE_NAMES = {"bleu": "BLEU", "accuracy": "accuracy (%)"}
SCORE_UNITS = {"bleu": "BLEU", "accuracy": "%"}


def signed(effect: float) -> str:
    """A difference with its sign, two decimals: `+0.12`, `−0.53`; what rounds to nothing has none."""
    text = f"{effect:+.2f}"
    return "0.00" if text in ("+0.00", "-0.00") else text.replace("-", "−")


def score(value: float, metric: str) -> str:
    """A score with its unit: `36.05 BLEU`, `83.68 %`."""
    return f"{value:.2f} {SCORE_UNITS[metric]}"


def slug(text: str) -> str:
    """Text as part of a file name."""
    return re.sub(r"[^\w.-]+", "-", text).strip("-")


def interval(row: Mapping[str, Any], side: str = "") -> str:
    """` (−0.80 to −0.21)` from the columns low and high, or low_a and high_a ...; nothing where there are none."""
    low, high = (row.get(f"{name}_{side}" if side else name) for name in ("low", "high"))
    return "" if low is None or high is None else f" ({signed(low)} to {signed(high)})"
