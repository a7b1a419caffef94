"""Which two units are off together: those of one layer, of one attention kind, any two, or those that a file names."""

from collections.abc import Sequence
from itertools import combinations
from pathlib import Path

from study.record.errors import InputError, listed
from study.record.orders import read_addresses
from study.record.units import Mlp, Unit, UnitLevel, layer_of

LAYER, KIND, ALL = "layer", "kind", "all"
"""What two units have in common; anything else is the name of a file."""


def pair_places(units: Sequence[Unit], within: str) -> list[tuple[int, int]]:
    """The pairs, by the positions of their units, the first of two before the second.

    Args:
        units: those that may be off, in the order of a mask.
        within: `layer`, `kind`, `all`, or a file that names units, one address a line: any two of these.

    Raises:
        InputError: for a file that cannot be read, names a unit that is none of these, or fewer than two.
    """
    if within not in (LAYER, KIND, ALL):
        return list(combinations(_named(Path(within), units), 2))
    common = [_common(unit, within) for unit in units]
    return [(i, j) for i, j in combinations(range(len(units)), 2) if common[i] == common[j]]


def _common(unit: Unit, within: str) -> object:
    """What must be equal in two units for them to be a pair."""
    if within == LAYER:
        return layer_of(unit)
    return (UnitLevel.mlp if isinstance(unit, Mlp) else unit.kind) if within == KIND else None


def _named(path: Path, units: Sequence[Unit]) -> list[int]:
    """The positions of the units that a file names, ascending."""
    place = {unit: number for number, unit in enumerate(units)}
    named = [unit for _, unit in read_addresses(path)]
    if strange := [str(unit) for unit in named if unit not in place]:
        raise InputError(f"{path} names {listed(strange)}, none of the {len(units)} units whose pairs are measured")
    if len(set(named)) < 2:
        raise InputError(f"{path} names {len(set(named))} of the units whose pairs are measured: a pair takes two")
    return sorted({place[unit] for unit in named})
