"""What a probe finds, in a sentence that stands on the page and on the terminal."""

from typing import Any

from analysis.formatting import decimal, ends, signed
from analysis.results.probe_readings import ProbeReading
from analysis.syntax.probe_scores import Probes
from analysis.syntax.relation_sums import ALL_BUT_PUNCTUATION
from analysis.syntax.words import short_name

PUBLISHED = {"a probe of the attention of BERT-base": 61, "the next word": 26}
"""UAS that Clark et al. (2019, table 3) report on the Wall Street Journal, percent."""

NAMES = {"single": "the best single head", "offset": "the best fixed offset", "control": "random weights"}
"""What a probe is compared with, by the names of columns."""


def probe_sentence(found: Probes, reading: ProbeReading) -> str:
    """How many words a probe attaches to the right head, and what else does."""
    rows = found.rows(reading)
    if rows.is_empty():
        return f"{reading.label}: training has seen every sentence, and the probe has no score."
    row = rows.filter(relation=ALL_BUT_PUNCTUATION).row(0, named=True)
    seen = f", {row['seen']:,} sentences that training has seen left out" if row["seen"] else ""
    said = (
        f"{reading.label}: a probe of the attention of {len(reading.probe.heads)} heads, trained on "
        f"{row['trained_on']}, finds the head of {decimal(row['uas'], 1)} %{ends(row['low'], row['high'], 1)} of "
        f"{row['words']:,} words (punctuation aside{seen}); {single_words(row)} {decimal(row['single'], 1)} %, "
        f"{offset_words(row['offset_words'])} {decimal(row['offset'], 1)} %"
    )
    if row["control"] is None:
        return f"{said}. Random weights were not measured."
    return (
        f"{said}, a probe of random weights {decimal(row['control'], 1)} %. The probes differ by "
        f"{decimal(row['above_control'], 1)} points{ends(row['above_control_low'], row['above_control_high'], 1)}."
    )


def offset_words(offset: int) -> str:
    """The best fixed offset in words: `the next word`, `the word at −2`."""
    return {1: "the next word", -1: "the previous word"}.get(offset, f"the word at {signed(offset, 0)}")


def single_words(row: dict[str, Any]) -> str:
    """The best single head by name, and which way it looks."""
    way = "" if row["single_to_head"] else " (by the word that attends to it most)"
    return f"the best single head, {short_name(row['single_head'])}{way},"
