"""What heads know of syntax and of rare words, in words: names of relations, and sentences to quote."""

from collections.abc import Mapping
from typing import Any

import polars as pl

from analysis.formatting import decimal, ends, signed
from analysis.syntax.relation_sums import ALL, ALL_BUT_PUNCTUATION, Direction
from study.record.units import Head

RELATIONS = {
    "acl": "clause of a noun",
    "acl:relcl": "relative clause",
    "advcl": "adverbial clause",
    "advmod": "adverb",
    "amod": "adjective",
    "appos": "apposition",
    "aux": "auxiliary",
    "aux:pass": "passive auxiliary",
    "case": "preposition",
    "cc": "conjunction",
    "ccomp": "clause as object",
    "compound": "compound",
    "compound:prt": "particle",
    "conj": "conjunct",
    "cop": "copula",
    "csubj": "clause as subject",
    "det": "determiner",
    "discourse": "interjection",
    "expl": "expletive",
    "fixed": "fixed expression",
    "flat": "name",
    "iobj": "indirect object",
    "mark": "subordinator",
    "nmod": "noun of a noun",
    "nmod:poss": "possessor",
    "nsubj": "subject",
    "nsubj:pass": "passive subject",
    "nummod": "number",
    "obj": "object",
    "obl": "oblique",
    "parataxis": "parataxis",
    "vocative": "vocative",
    "xcomp": "open complement",
    ALL: "every word",
    ALL_BUT_PUNCTUATION: "every word but punctuation",
}
"""What relations of Universal Dependencies are called; those of one language alone have their own name."""

DIRECTIONS = {
    Direction.to_head: "dependent to head",
    Direction.to_dependent: "head to dependent",
}

WHOLES = (ALL, ALL_BUT_PUNCTUATION)
"""What is no relation by itself."""


def relation_title(relation: str) -> str:
    """`subject (nsubj)`; a relation without a name of its own as it is."""
    title = RELATIONS.get(relation)
    if relation in WHOLES and title:
        return title
    return f"{title} ({relation})" if title else relation


def short_name(address: str, several: bool = False) -> str:
    """`L2H1` for `encoder_self.2.1`; the address where there are several kinds of attention."""
    head = Head.parse(address)
    return address if several else f"L{head.layer}H{head.index}"


def chosen_heads(row: Mapping[str, Any], several: bool = False) -> str:
    """The head that was chosen in both halves, or the two: `L2H1 / L3H0`."""
    return " / ".join(dict.fromkeys(short_name(row[name], several) for name in ("first_head", "second_head")))


def chosen_offsets(row: Mapping[str, Any]) -> str:
    """The offset that was chosen in both halves, or the two: `+1 / −2`."""
    return " / ".join(dict.fromkeys(signed(row[name], 0) for name in ("first_offset", "second_offset")))


def syntax_sentence(best: pl.DataFrame, label: str) -> str:
    """How many relations have a head above the best fixed offset, and which one most."""
    relations = best.filter(~pl.col("relation").is_in(WHOLES))
    if relations.is_empty():
        return f"{label}: no relation has enough words in either half of the examples."
    sure = relations.filter(pl.col("p_corrected") <= pl.col("alpha"))
    count, found = relations["relation"].n_unique(), sure["relation"].n_unique()
    said = f"{label}: of {count} relations, a head finds {found or 'none'} better than any fixed offset does"
    if not found:
        return f"{said}."
    row = sure.sort("difference", descending=True).row(0, named=True)
    most = (
        f"{relation_title(row['relation'])}, {DIRECTIONS[Direction(row['direction'])]}: {chosen_heads(row)} "
        f"{decimal(row['accuracy'], 1)} %{ends(row['low'], row['high'], 1)} of the words, the best offset "
        f"({chosen_offsets(row)}) {decimal(row['baseline'], 1)} %"
    )
    return f"{said}, after correction over relations and directions. The largest difference is that of {most}."


def rare_sentence(rare: pl.DataFrame, label: str) -> str:
    """How many heads look at the rarest word, and what finds it without knowing how rare it is."""
    own = rare.filter(rarest=1)
    if own.is_empty():
        return f"{label}: too few texts have a word beyond the 500 most frequent ones."
    first, above = own.row(0, named=True), own.filter("above").sort("share", descending=True)
    place = " / ".join(dict.fromkeys((first["first_place"], first["second_place"])))
    blind, longest, usual = (decimal(first[name], 1) for name in ("blind", "longest", "position"))
    said = (
        f"{label}: {above.height or 'none'} of {own.height} heads look at the rarest word more often than a choice at "
        f"random ({blind} %), the longest word ({longest} %) and its usual place ({place}, {usual} %) would find it"
    )
    if above.is_empty():
        return f"{said}."
    row = above.row(0, named=True)
    name = short_name(str(Head.from_row(row)), own["kind"].n_unique() > 1)
    return f"{said}; most of all {name}, {decimal(row['share'], 1)} %{ends(row['low'], row['high'], 1)} of words."
