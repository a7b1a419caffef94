"""Character n-grams that hypotheses share with their reference: the counting behind chrF, without a loop over n-grams.

The n-grams of a reference are numbered. Which one stands at a place of a hypothesis follows from the number of its
first n - 1 characters there and from the next one: a table, so that all hypotheses of a reference take one step
together.

Shapes: `hypotheses` = number of hypotheses of one reference; `orders` = lengths of an n-gram, from 1.
"""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Int

SEPARATOR = " "
"""Between hypotheses; no reference has it, as white space does not count."""


def without_spaces(text: str) -> str:
    """The text that is counted: sacreBLEU's chrF leaves white space out."""
    return "".join(text.split())


def matches(hypotheses: Sequence[str], reference: str, max_order: int) -> Int[np.ndarray, "hypotheses orders"]:
    """How many n-grams of each hypothesis the reference has, at most as often as there; no text has white space."""
    found = np.zeros((len(hypotheses), max_order), dtype=np.int64)
    alphabet, letters = np.unique(_codes(reference), return_inverse=True)
    text = _letters("".join(f"{hypothesis}{SEPARATOR}" for hypothesis in hypotheses), alphabet)
    owner = np.repeat(np.arange(len(hypotheses)), [len(hypothesis) + 1 for hypothesis in hypotheses])
    width = len(alphabet) + 1  # the last letter is any that the reference lacks
    own = np.zeros(len(letters), dtype=np.int64)  # number of the n-gram at each place of the reference
    theirs = np.zeros(len(text), dtype=np.int64)  # the same of the hypotheses
    known = 1
    for order in range(min(max_order, len(letters))):
        keys = own[: len(letters) - order] * width + letters[order:]
        distinct, own, counts = np.unique(keys, return_inverse=True, return_counts=True)
        none = len(distinct)
        step = np.full((known + 1) * width, none)
        step[distinct] = np.arange(none)
        theirs = step[theirs[: len(text) - order] * width + text[order:]]
        known = none
        tally = np.bincount(owner[: len(theirs)] * (none + 1) + theirs, minlength=len(hypotheses) * (none + 1))
        found[:, order] = np.minimum(tally.reshape(len(hypotheses), -1)[:, :none], counts).sum(axis=1)
    return found


def _codes(text: str) -> Int[np.ndarray, " characters"]:
    return np.frombuffer(text.encode("utf-32-le", "surrogatepass"), dtype="<u4").astype(np.int64)


def _letters(text: str, alphabet: Int[np.ndarray, " letters"]) -> Int[np.ndarray, " characters"]:
    """The place of each character in the alphabet; its length for one that is not there."""
    codes = _codes(text)
    place = np.searchsorted(alphabet, codes)
    there = np.append(alphabet, -1)[place] == codes
    return np.where(there, place, len(alphabet))
