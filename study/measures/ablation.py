"""Ablations: one head off, all but one in a layer, no head in a layer (the paper's section 3)."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from jaxtyping import Bool

from study.measures.measure import Measure
from study.record.units import HeadLayout, select_heads, select_layers


@dataclass(kw_only=True)
class Base(Measure):
    """The full mask alone: the base score."""

    masks_heads: ClassVar[bool] = False

    name: str = "base"


@dataclass(kw_only=True)
class Ablation(Measure):
    """Each head off, one at a time (table 1, figures 1 and 2)."""

    name: str = "ablation"

    def masks(self, layout: HeadLayout) -> Bool[np.ndarray, "masks heads"]:
        """One mask a head."""
        return layout.each_off(select_heads(layout, self.kinds))


@dataclass(kw_only=True)
class AllButOne(Measure):
    """Each head alone in its layer, the other layers whole (tables 2 and 3)."""

    name: str = "all_but_one"

    def masks(self, layout: HeadLayout) -> Bool[np.ndarray, "masks heads"]:
        """One mask a head."""
        return layout.each_alone(select_heads(layout, self.kinds))


@dataclass(kw_only=True)
class NoHead(Measure):
    """No head at all in one layer: the control that "one head is enough" needs."""

    name: str = "no_head"

    def masks(self, layout: HeadLayout) -> Bool[np.ndarray, "masks heads"]:
        """One mask a layer."""
        return layout.each_layer_off(select_layers(layout, self.kinds))
