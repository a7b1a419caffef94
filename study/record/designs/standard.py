"""Designs that need no file: every setting's masks of one unit off, and of one left in its layer, mean the same.

They are all that folders hold which were written before there were designs, but for the points of pruning curves.
"""

import numpy as np

from study.record.designs.design import Design, DesignKind, rows_without
from study.record.units import Group, Head, HeadLayout, Unit, UnitLevel


def standard_designs(layout: HeadLayout) -> list[Design]:
    """Each unit off, by level: heads, groups, layers, MLPs; then each head, and each group, alone in its layer."""
    levels = [level for level in UnitLevel if layout.units(level)]
    return [
        *(_each_off(layout, level) for level in levels),
        *(_each_alone(layout, level) for level in levels if level in (UnitLevel.head, UnitLevel.group)),
    ]


def _each_off(layout: HeadLayout, level: UnitLevel) -> Design:
    units = layout.units(level)
    on = rows_without([[place] for place in range(len(units))], len(units))
    return Design(DesignKind.SINGLE, level, tuple(map(str, units)), on, {})


def _each_alone(layout: HeadLayout, level: UnitLevel) -> Design:
    units = layout.units(level)
    places = [_place(unit) for unit in units]
    alike = np.array([[one == other for other in places] for one in places], dtype=bool)
    on = ~alike | np.eye(len(units), dtype=bool)
    return Design(DesignKind.ALONE, level, tuple(map(str, units)), on, {})


def _place(unit: Unit) -> tuple[str, int]:
    """The attention layer of a head or a group."""
    assert isinstance(unit, Head | Group)
    return unit.kind, unit.layer
