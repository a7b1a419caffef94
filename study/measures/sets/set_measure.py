"""What measures of sets have in common: their masks are designs, which are kept before the first row is computed."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Bool

from study.measures.measure import MaskRequest, UnitMeasure
from study.record.designs import Design
from study.record.errors import InputError
from study.record.units import HeadLayout, stack

if TYPE_CHECKING:
    from study.engine.evaluator import Evaluator


def require_all(evaluator: "Evaluator", measure: str) -> None:
    """Refuse a job with a share of the examples, where all of them decide which masks come next."""
    if len(evaluator.examples) < len(evaluator.whole):
        raise InputError(f"measure={measure} decides by all examples as it goes: run it without shards")


@dataclass(kw_only=True)
class SetMeasure(UnitMeasure):
    """A measure whose masks turn several units off, and mean something together."""

    def designs(self, layout: HeadLayout) -> Sequence[Design]:
        """What its masks mean."""
        raise NotImplementedError

    def masks(self, layout: HeadLayout) -> Bool[np.ndarray, "masks width"]:
        """Those of its designs."""
        return np.concatenate([stack([], layout), *(design.masks(layout) for design in self.designs(layout))])

    def request(self, evaluator: "Evaluator") -> MaskRequest:
        """Its masks, and what they mean."""
        layout = evaluator.layout
        return MaskRequest(self.masks(layout), designs=tuple(self.designs(layout)))
