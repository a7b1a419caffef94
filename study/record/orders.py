"""Orders in which heads are removed, and how many are at each step; without a model.

An order is a list of distinct heads, the first to go first.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from enum import StrEnum
from pathlib import Path

import numpy as np
from jaxtyping import Float

from study.record.curves import read_curve
from study.record.errors import InputError, listed
from study.record.units import Head, HeadLayout


class Steps(StrEnum):
    """How many of n heads are removed at each point of a curve. Names are what is written on the command line.

    A new rule is a name here and its case in `counts`.
    """

    paper = "paper"
    """The nearest to each 10 %, as the paper says."""
    code_bert = "code_bert"
    """int(n p) at each 5 %, as its script for BERT has it; every second one is that of 10 %."""
    code_mt = "code_mt"
    """ceil(n i / 10), as its code for translation has it."""
    every = "every"
    """One more each time."""

    def counts(self, n: int, removable: int) -> list[int]:
        """How many heads are removed at each point, from 0 on: distinct, growing.

        Args:
            n: number of heads that the shares are of.
            removable: how many of them go at most: fewer where a head is kept in each layer.
        """
        match self:
            case Steps.paper:
                found = [(2 * n * i + 10) // 20 for i in range(11)]
            case Steps.code_bert:
                found = [n * percent // 100 for percent in range(0, 101, 5)]
            case Steps.code_mt:
                found = [-(-n * i // 10) for i in range(11)]
            case Steps.every:
                found = list(range(n + 1))
        return sorted({min(count, removable) for count in found})


def least_first(values: Float[np.ndarray, " heads"], layout: HeadLayout, heads: Iterable[Head]) -> list[Head]:
    """These heads by a number for each of the model's heads, the least first; equals in the order of a mask."""
    return sorted(heads, key=lambda head: (values[layout.index(head)], layout.index(head)))


def read_addresses(path: Path) -> list[tuple[int, Head]]:
    """The heads that a file names, each with its place, counted from 1.

    Args:
        path: a text file, one address a line (empty lines and lines that begin with # are passed over), or a pruning
            curve (`curves/*.json` in the results), for its order.

    Raises:
        InputError: for a file that cannot be read, and what is no address.
    """
    if path.suffix == ".json":
        return [(place, Head.parse(text)) for place, text in enumerate(read_curve(path).sequence, start=1)]
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"cannot read the order in {path}: {error}") from error
    numbered = ((number, line.strip()) for number, line in enumerate(lines, start=1))
    return [(number, Head.parse(line)) for number, line in numbered if line and not line.startswith("#")]


def read_order(path: Path, heads: Sequence[Head]) -> list[Head]:
    """The order in a file, as `read_addresses` takes it, which must name each of these heads once.

    Raises:
        InputError: for a file that cannot be read, names a head that is none of `heads`, or one twice, or not all.
    """
    order: dict[Head, int] = {}
    known = set(heads)
    for number, head in read_addresses(path):
        if head not in known:
            raise InputError(f"{path}, line {number}: {head} is none of the {len(heads)} heads that are to be removed")
        if head in order:
            raise InputError(f"{path}, line {number}: {head} stands in line {order[head]} already")
        order[head] = number
    if missing := [str(head) for head in heads if head not in order]:
        raise InputError(f"{path} does not name {listed(missing)}: an order has every head once")
    return list(order)


def keep_one_a_layer(order: Sequence[Head], layout: HeadLayout) -> list[Head]:
    """The order without the head of each attention layer that would be the last to go from it, if all of it goes."""
    left = Counter({layer: layout.counts[layer[0]][layer[1]] for layer in layout.layers})
    kept = []
    for head in order:
        layer = (head.kind, head.layer)
        if left[layer] > 1:
            left[layer] -= 1
            kept.append(head)
    return kept
