"""Numbers and names as people read them: on the page, in figures and on the terminal."""

import re

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
