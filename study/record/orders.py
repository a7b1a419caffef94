"""Orders in which heads or other units are removed, and how many are at each step; without a model.

An order is a list of distinct units of one level, the first to go first.
"""

from collections import Counter
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path

import numpy as np
from jaxtyping import Float

from study.record.curves import read_curve
from study.record.errors import InputError, listed
from study.record.units import HeadLayout, Unit, layer_of, level_of, parse_unit


class Steps(StrEnum):
    """How many of n units are removed at each point of a curve. Names are what is written on the command line.

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
        """How many units are removed at each point, from 0 on: distinct, growing.

        Args:
            n: number of units that the shares are of.
            removable: how many of them go at most: fewer where a unit is kept in each layer.
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


def least_first(values: Float[np.ndarray, " units"], units: Sequence[Unit]) -> list[Unit]:
    """Units by a number for each of them, the least first; equals as they stand."""
    return [units[i] for i in np.argsort(values, kind="stable")]


def read_addresses(path: Path) -> list[tuple[int, Unit]]:
    """The units that a file names, each with its place, counted from 1.

    Args:
        path: a text file, one address a line (empty lines and lines that begin with # are passed over), or a pruning
            curve (`curves/*.json` in the results), for its order.

    Raises:
        InputError: for a file that cannot be read, and what is no address.
    """
    if path.suffix == ".json":
        return [(place, parse_unit(text)) for place, text in enumerate(read_curve(path).sequence, start=1)]
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"cannot read the order in {path}: {error}") from error
    numbered = ((number, line.strip()) for number, line in enumerate(lines, start=1))
    return [(number, parse_unit(line)) for number, line in numbered if line and not line.startswith("#")]


def read_order(path: Path, units: Sequence[Unit]) -> list[Unit]:
    """The order in a file, as `read_addresses` takes it, which must name each of these units once.

    Raises:
        InputError: for a file that cannot be read, names a unit that is none of `units`, or one twice, or not all.
    """
    order: dict[Unit, int] = {}
    known = set(units)
    level = level_of(units[0])
    for number, unit in read_addresses(path):
        if unit not in known:
            of = f"the {len(units)} {level.plural} that are to be removed"
            raise InputError(f"{path}, line {number}: {unit} is none of {of}")
        if unit in order:
            raise InputError(f"{path}, line {number}: {unit} stands in line {order[unit]} already")
        order[unit] = number
    if missing := [str(unit) for unit in units if unit not in order]:
        raise InputError(f"{path} does not name {listed(missing)}: an order has every {level.noun} once")
    return list(order)


def keep_one_a_layer(order: Sequence[Unit], layout: HeadLayout) -> list[Unit]:
    """The order without the unit of each layer that would be the last to go from it, if all of it goes."""
    left = Counter(map(layer_of, layout.units(level_of(order[0])))) if order else Counter()
    kept = []
    for unit in order:
        layer = layer_of(unit)
        if left[layer] > 1:
            left[layer] -= 1
            kept.append(unit)
    return kept
