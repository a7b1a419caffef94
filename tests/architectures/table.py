"""`docs/models.md`: a row for each architecture, what is certified of it or the words in which it is refused."""

import re
from collections.abc import Mapping
from pathlib import Path
from textwrap import shorten

from transformers import __version__

from .tiny import UNTRIED
from .trial import Outcome

LONGEST_NOTE = 300
"""Letters of a sentence; what is longer quotes an error of torch."""

PAGE = Path(__file__).parents[2] / "docs" / "models.md"

TEXT = """\
# Models that are certified

Every sequence classifier of transformers {version}, tried with a tiny random model of two layers of four heads: each
head off in turn, by `study` and by a loop in plain transformers that knows nothing of it (one example, one head at a
time, nothing padded). Where a model was studied, every prediction and every loss was equal. Each was run as it is, with
a tokenizer that has no padding token, with one that pads at the left, and with eager, sdpa and flex attention where it
can take them: what came out otherwise is said. The same proofs run whenever a model is loaded, so a model that is not
listed is either studied exactly or refused in words as well.

*all masks at once* is the fast engine, *one mask at a time* the plain one; both are exact. *Patterns* says how the
weights of attention are seen by `measure=attention`, and proved to be those that the model uses: from the attention
function of transformers, or as the products in the module; or why they cannot be told, and that measure is refused.

| `model_type` | heads | engine | patterns | notes |
|---|---|---|---|---|
"""
END = """
This page is made by `make models` and checked by `make test-slow`.
"""


def page(rows: Mapping[str, str]) -> str:
    """The page with these rows, and those of what is not tried."""
    untried = {kind: f"| `{kind}` | not tried | | | {reason} |" for kind, reason in UNTRIED.items()}
    lines = [line for _, line in sorted({**rows, **untried}.items())]
    return TEXT.format(version=__version__) + "\n".join(lines) + "\n" + END


def rows() -> dict[str, str]:
    """The rows of the page as it is, by `model_type`."""
    lines = PAGE.read_text(encoding="utf-8").splitlines()
    return {match[1]: line for line in lines if (match := re.match(r"\| `([^`]+)` \|(?! heads)", line))}


def row(kind: str, outcomes: Mapping[str, Outcome]) -> str:
    """The row of an architecture by the outcome of each way; ways that came out as the first are not named."""
    told = {way: _told(outcome) for way, outcome in outcomes.items()}
    heads, engine, patterns, note = first = next(iter(told.values()))
    others: dict[str, list[str]] = {}
    for way, this in told.items():
        if this != first:
            seen = f"patterns {this[2]}" if this[2] not in ("", patterns) else ""
            others.setdefault(": ".join(filter(None, (this[0], seen, this[3]))), []).append(way)
    notes = [note, *(f"*{', '.join(ways)}*: {words}" for words, ways in others.items())]
    return f"| `{kind}` | {heads} | {engine} | {patterns} | {'; '.join(filter(None, notes))} |"


def _told(outcome: Outcome) -> tuple[str, str, str, str]:
    """Heads, engine, patterns and notes of an outcome; numbers that rounding changes are left out."""
    if outcome.refusal:
        return "refused", "", "", _one_line(outcome.refusal)
    engine = "all masks at once" if "all masks" in outcome.engine else outcome.engine
    said = (_one_line(warning) for warning in outcome.warnings if outcome.engine not in warning)
    return outcome.heads, engine, _one_line(outcome.patterns), " ".join(dict.fromkeys(said))


def _one_line(text: str) -> str:
    """A sentence without folders and numbers that rounding changes; of several reasons the first."""
    sentence = " ".join(re.split(r"\n\s*- ", text)[:2])
    sentence = re.sub(r" from FOLDER[^\s:;,]*|\s*\(differs by [^)]*\)|: differs by \S*", "", sentence)
    return shorten(sentence, LONGEST_NOTE, placeholder=" ...").replace("|", "\\|")
