"""Ablations: one unit off, all but one in a layer, no head in a layer (the paper's section 3)."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from jaxtyping import Bool

from study.measures.measure import Measure, UnitMeasure
from study.record.errors import InputError
from study.record.units import Group, Head, HeadLayout, UnitLevel, select_layers


@dataclass(kw_only=True)
class Base(Measure):
    """The full mask alone: the base score."""

    masks_units: ClassVar[bool] = False

    name: str = "base"


@dataclass(kw_only=True)
class Ablation(UnitMeasure):
    """Each unit off, one at a time (of heads: table 1, figures 1 and 2)."""

    name: str = "ablation"

    def masks(self, layout: HeadLayout) -> Bool[np.ndarray, "masks width"]:
        """One mask a unit."""
        return layout.each_off(self.units(layout))


@dataclass(kw_only=True)
class AllButOne(UnitMeasure):
    """Each head or group alone in its layer, the other layers whole (of heads: tables 2 and 3)."""

    name: str = "all_but_one"

    def check(self, layout: HeadLayout) -> None:
        """Refuse units of which a layer has only one."""
        if self.unit not in (UnitLevel.head, UnitLevel.group):
            raise InputError(
                f"measure=all_but_one leaves one unit of a layer on, and with measure.unit={self.unit} a layer "
                f"has one: take measure.unit=head or group, or measure=ablation"
            )
        super().check(layout)

    def masks(self, layout: HeadLayout) -> Bool[np.ndarray, "masks width"]:
        """One mask a head or group."""
        return layout.each_alone(unit for unit in self.units(layout) if isinstance(unit, Head | Group))


@dataclass(kw_only=True)
class NoHead(Measure):
    """No head at all in one layer: the control that "one head is enough" needs.

    Its masks are those of an ablation of layers.
    """

    name: str = "no_head"

    def masks(self, layout: HeadLayout) -> Bool[np.ndarray, "masks width"]:
        """One mask a layer."""
        return layout.each_layer_off(select_layers(layout, self.kinds))
