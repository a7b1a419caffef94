"""Maps as the page holds them: numbers of sixteen bits, packed by zlib, in letters (base64).

A head's text holds its weights, row after row, in steps of one over `steps`; then the entropy of each row of tokens and
of each row of words, in thousandths of a nat. Scripts unpack it when the head is looked at.
"""

import base64
import zlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from study.record.maps.sentence_maps import SentenceMaps
from study.record.units import Head

STEPS = (65_535, 4_095, 1_023)
"""Steps between 0 and 1, the first that fits."""

MOST_BYTES = 16_000_000
"""The most that all maps take on a page: it then opens on a phone."""


@dataclass(frozen=True)
class PackedMaps:
    """The maps of a page.

    Attributes:
        steps: how many steps there are between 0 and 1: weights are exact to half of one.
        heads: by address a text for each condition (every head on; some off).
    """

    steps: int
    heads: dict[str, list[str]]

    @property
    def bytes(self) -> int:
        """Size on the page."""
        return sum(len(text) for texts in self.heads.values() for text in texts)


def pack(conditions: Sequence[SentenceMaps]) -> PackedMaps:
    """The maps of one sentence under each condition, in the finest steps that fit into `MOST_BYTES`."""
    packed = PackedMaps(0, {})
    for steps in STEPS:
        packed = PackedMaps(
            steps, {str(head): [_head(maps, head, steps) for maps in conditions] for head in conditions[0].weights}
        )
        if packed.bytes <= MOST_BYTES:
            break
    return packed


def entropy(weights: Float[np.ndarray, "rows S"]) -> Float[np.ndarray, " rows"]:
    """Entropy of each row, nats."""
    exact = weights.astype(np.float64)
    return -(exact * np.log(np.where(exact > 0, exact, 1))).sum(1)


def in_letters(numbers: np.ndarray) -> str:
    """Numbers packed, little end first."""
    content = np.ascontiguousarray(numbers, dtype=numbers.dtype.newbyteorder("<")).tobytes()
    return base64.b64encode(zlib.compress(content, 9)).decode()


def _head(maps: SentenceMaps, head: Head, steps: int) -> str:
    weights = maps.weights[head]
    entropies = np.concatenate([entropy(weights), entropy(maps.word_weights(head))])
    numbers = [np.rint(np.clip(weights, 0, 1) * steps).ravel(), np.rint(1000 * entropies)]
    return in_letters(np.concatenate(numbers).astype(np.uint16))
