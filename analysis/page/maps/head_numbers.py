"""What the page of a sentence says of each head in numbers: means over its query tokens, special tokens counted.

They are defined as the statistics of stored attention are (`study.record.tables.statistics`).

Shapes: T query tokens, S key tokens.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from analysis.page.maps.packing import entropy
from study.record.maps.sentence_maps import SentenceMaps
from study.record.units import Head


@dataclass(frozen=True)
class Number:
    """A column of the table of heads.

    Attributes:
        name: its name in a frame.
        label: its heading.
        unit: unit of its values.
        meaning: what it is, in words.
        digits: decimals that are shown.
    """

    name: str
    label: str
    unit: str
    meaning: str
    digits: int = 2


NUMBERS = (
    Number("entropy", "entropy", "nats", "how spread the attention of a token is: 0 where one token gets all of it"),
    Number("largest", "largest weight", "share", "the largest weight of a token, its mean"),
    Number("self", "itself", "share", "weight of a token on its own position"),
    Number("previous", "previous", "share", "weight on the position before"),
    Number("next", "next", "share", "weight on the position after"),
    Number("special", "special tokens", "share", "weight on tokens that stand for no text, such as [CLS] and [SEP]"),
)

CHANGE = Number(
    "change",
    "change",
    "nats",
    "Jensen-Shannon divergence of the weights with some heads off from those with every head on: 0 where they are the "
    "same, ln 2 = 0.69 where they have no token in common",
    3,
)


def head_numbers(conditions: Sequence[SentenceMaps]) -> dict[Head, dict[str, float]]:
    """Numbers of each head under the first condition; where there is a second, how far it is from the first."""
    first, *others = conditions
    found = {}
    for head, weights in first.weights.items():
        change = {CHANGE.name: divergence(weights, others[0].weights[head])} if others else {}
        found[head] = {**_means(weights, first.keys(head.kind).special), **change}
    return found


def divergence(a: Float[np.ndarray, "T S"], b: Float[np.ndarray, "T S"]) -> float:
    """Jensen-Shannon divergence of two maps, the mean over their rows, nats."""
    middle = (a.astype(np.float64) + b) / 2
    return max(0.0, float((entropy(middle) - (entropy(a) + entropy(b)) / 2).mean()))


def _means(weights: Float[np.ndarray, "T S"], special: np.ndarray) -> Mapping[str, float]:
    n = len(weights)
    return {
        "entropy": float(entropy(weights).mean()),
        "largest": float(weights.max(1).mean()),
        "self": float(np.trace(weights)) / n,
        "previous": float(np.trace(weights, -1)) / n,
        "next": float(np.trace(weights, 1)) / n,
        "special": float(weights[:, special].sum()) / n,
    }
