"""Heads that look at rare words (Voita et al. 2019, section 5.3), against what finds them without looking.

A word is a case where the rarest word that it may attend to is none of the 500 most frequent of a corpus: any other
word of the text, or of a causal model any earlier one. A head hits where it attends most to that word, or to one of the
two rarest; of equally rare words to any. Three choices know nothing of frequencies:

- a word at random;
- the longest word. Attention to a word is the sum over its pieces, and rare words have many, so that a head that looks
  everywhere alike looks at them most: with random weights every head is above the other two choices;
- the place where the rarest word is most often, by its offset from the word that attends or counted from either end of
  the text, which is chosen on one half of the groups and scored on the other.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
from jaxtyping import Bool, Float, Int

from analysis.inference import Inference
from analysis.inference.discordant_pairs import PERCENT
from analysis.inference.shares import difference_limits, ratio_limits, share_limits
from analysis.results.readings import Reading
from analysis.syntax.frequencies import Frequencies
from analysis.syntax.halves import choose, cross_fitted, first_half
from analysis.syntax.relation_scores import LEVEL, with_addresses
from analysis.syntax.relation_sums import FARTHEST, OFFSETS
from analysis.syntax.word_choices import WordChoices, read_choices, word_spans
from study.record.examples import text_columns
from study.record.units import ADDRESS, AttentionKind, Head

RAREST = (1, 2)
"""A head hits the rarest word, or one of the two rarest."""

PLACES = tuple(f"offset {offset:+d}" for offset in OFFSETS) + tuple(
    f"word {number} from the {end}" for end in ("beginning", "end") for number in range(1, FARTHEST + 1)
)
"""Where the rarest word may usually be."""

RARE_WORDS = (
    ADDRESS
    | {"rarest": pl.Int64, "cases": pl.Int64, "hits": pl.Int64}
    | dict.fromkeys(["share", "low", "high", "blind", "longest", "position"], pl.Float64)
    | {"first_place": pl.String, "second_place": pl.String}
    | dict.fromkeys(["lower_blind", "lower_longest", "lower_position", "lower"], pl.Float64)
    | {"above": pl.Boolean, "groups": pl.Int64, "alpha": pl.Float64, "corpus": pl.String}
)

NO_ROWS = pl.DataFrame(schema=RARE_WORDS).drop("alpha", "corpus")


@dataclass(frozen=True, eq=False)
class RareSums:
    """Cases, and who finds the rarest word in them, as sums over groups of examples.

    Attributes:
        cases: words that may attend to a rare one.
        hits: cases in which each head attends most to one of the rarest.
        blind: sums of the chance that a word at random is one of them.
        longest: sums of the chance that the longest word is one of them, any of equally long ones.
        places: cases in which the word at each of `PLACES` is one of them.
    """

    cases: Int[np.ndarray, " groups"]
    hits: Int[np.ndarray, "groups heads"]
    blind: Float[np.ndarray, " groups"]
    longest: Float[np.ndarray, " groups"]
    places: Int[np.ndarray, "groups places"]


def rare_word_scores(
    reading: Reading, inference: Inference, mask: str | None = None, frequencies: Frequencies | None = None
) -> pl.DataFrame | None:
    """How often each head attends to the rarest word, against choices that know no frequencies.

    Args:
        reading: where attended words are stored.
        inference: alpha, seed, groups.
        mask: key of the mask under which the model ran; None for the full one.
        frequencies: how frequent words are; None counts them in the texts themselves.

    Returns:
        Columns kind, layer, head; rarest: of how many rarest words one is attended to; cases, hits; share, low, high:
        percent of cases; blind, longest, position: the same of the three choices that know no frequencies, the usual
        place being first_place on the first half and second_place on the second; lower_blind, lower_longest,
        lower_position: one-sided limits at 95 % of what the head has above them, points; lower: the smallest one;
        above: whether it is above 0; groups, alpha, corpus. None without attended words.

    Raises:
        InputError: when the examples have no such groups.
    """
    found = read_choices(reading, inference.groups, mask)
    if found is None:
        return None
    examples, choices = found
    texts = examples[text_columns(examples.columns)[0]]
    words = [[text[start:end] for start, end in own] for text, own in zip(texts, word_spans(examples), strict=True)]
    known = frequencies or Frequencies.from_texts(words, reading.data)
    frames = [NO_ROWS]
    for causal in (False, True):
        heads = np.array([(head.kind is AttentionKind.DECODER_SELF) == causal for head in reading.layout.heads])
        heads &= choices.choosing
        own = [head for head, taken in zip(reading.layout.heads, heads, strict=True) if taken]
        for rarest in RAREST if own else ():
            sums = rare_sums(words, choices.select(heads), known, rarest, causal=causal)
            frames.append(rare_head_scores(sums, own, rarest, inference))
    return pl.concat(frames).with_columns(alpha=pl.lit(inference.alpha), corpus=pl.lit(known.corpus))


def rare_sums(
    words: Sequence[Sequence[str]], choices: WordChoices, frequencies: Frequencies, rarest: int, *, causal: bool
) -> RareSums:
    """The sums of all heads of `choices`.

    Args:
        words: the words of each example.
        choices: what the heads choose for each.
        frequencies: how frequent words are.
        rarest: a hit is one of so many rarest words.
        causal: whether a word may attend to earlier ones alone.
    """
    groups, heads = choices.group_count, len(choices.row)
    sums = RareSums(
        np.zeros(groups, dtype=np.int64),
        np.zeros((groups, heads), dtype=np.int64),
        np.zeros(groups),
        np.zeros(groups),
        np.zeros((groups, len(PLACES)), dtype=np.int64),
    )
    for own, start, group in zip(words, choices.starts, choices.groups, strict=True):
        candidates = _candidates(len(own), causal=causal)
        is_target, is_case = _targets(own, candidates, frequencies, rarest)
        at = np.flatnonzero(is_case)
        chosen, places = choices.row[:, start + at], _places(len(own))[:, at]
        sums.cases[group] += len(at)
        sums.hits[group] += ((chosen >= 0) & is_target[at, chosen]).sum(axis=1)
        sums.blind[group] += (is_target[at].sum(axis=1) / candidates[at].sum(axis=1)).sum()
        longest = _longest(own, candidates)[at]
        sums.longest[group] += ((is_target[at] & longest).sum(axis=1) / longest.sum(axis=1)).sum()
        sums.places[group] += ((places >= 0) & is_target[at, places]).sum(axis=1)
    return sums


def _candidates(length: int, *, causal: bool) -> Bool[np.ndarray, "words words"]:
    """Which words each word may attend to: all others, or all before it."""
    return np.tri(length, k=-1, dtype=bool) if causal else ~np.eye(length, dtype=bool)


def _targets(
    words: Sequence[str], candidates: Bool[np.ndarray, "words words"], frequencies: Frequencies, rarest: int
) -> tuple[Bool[np.ndarray, "words words"], Bool[np.ndarray, " words"]]:
    """Which candidates of each word are among the rarest, and which words are cases: with a rare one, and a choice."""
    counts = np.array([frequencies.of(word) for word in words], dtype=np.float64)
    rare = np.array([frequencies.is_rare(word) for word in words])
    seen = np.where(candidates, counts, np.inf)
    most = np.sort(seen, axis=1)[:, min(rarest, len(words)) - 1]
    return candidates & (seen <= most[:, None]), rare[seen.argmin(axis=1)] & (candidates.sum(axis=1) > rarest)


def _longest(words: Sequence[str], candidates: Bool[np.ndarray, "words words"]) -> Bool[np.ndarray, "words words"]:
    """Which candidates of each word have the most characters."""
    lengths = np.where(candidates, [len(word) for word in words], 0)
    return candidates & (lengths == lengths.max(axis=1, keepdims=True))


def _places(length: int) -> Int[np.ndarray, "places words"]:
    """The word at each of `PLACES`, seen from each word; -1 where the text has none."""
    word, number = np.arange(length), np.arange(FARTHEST)[:, None]
    from_start, from_end = (np.repeat(place, length, axis=1) for place in (number, length - 1 - number))
    places = np.concatenate([word + OFFSETS[:, None], from_start, from_end])
    return np.where((places >= 0) & (places < length), places, -1)


def rare_head_scores(sums: RareSums, heads: Sequence[Head], rarest: int, inference: Inference) -> pl.DataFrame:
    """The rows of `rare_word_scores` of these heads; none where fewer than two groups of either half have a case."""
    half = first_half(len(sums.cases), inference.seed)
    if min(np.count_nonzero(sums.cases[own]) for own in (half, ~half)) < 2:
        return NO_ROWS
    usual = choose(sums.places, half)
    by_place = cross_fitted(sums.places, usual, half)
    count, one_sided = int(sums.cases.sum()), 2 * (1 - LEVEL)
    low, high = share_limits(sums.hits, sums.cases, inference.alpha)
    above_blind, _ = ratio_limits(sums.hits - sums.blind[:, None], sums.cases, one_sided)
    above_longest, _ = ratio_limits(sums.hits - sums.longest[:, None], sums.cases, one_sided)
    above_place, _ = difference_limits(sums.hits - by_place[:, None], sums.cases, one_sided)
    lower = np.minimum(np.minimum(above_blind, above_longest), above_place)
    columns = {
        "rarest": rarest,
        "cases": count,
        "hits": sums.hits.sum(axis=0),
        "share": PERCENT * sums.hits.sum(axis=0) / count,
        "low": low,
        "high": high,
        "blind": PERCENT * sums.blind.sum() / count,
        "longest": PERCENT * sums.longest.sum() / count,
        "position": PERCENT * by_place.sum() / count,
        "first_place": PLACES[usual[0]],
        "second_place": PLACES[usual[1]],
        "lower_blind": above_blind,
        "lower_longest": above_longest,
        "lower_position": above_place,
        "lower": lower,
        "above": lower > 0,
        "groups": int((sums.cases > 0).sum()),
    }
    return with_addresses(heads, columns, RARE_WORDS)
