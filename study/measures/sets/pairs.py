"""Pairs: two units off together, beside each of them off by itself."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Bool

from study.measures.sets.set_measure import SetMeasure
from study.record.designs import Design, DesignKind
from study.record.designs.design import DesignOptions, rows_without
from study.record.designs.pairs import ALL, KIND, LAYER, pair_places
from study.record.errors import InputError
from study.record.files import file_digest
from study.record.units import HeadLayout


@dataclass(kw_only=True)
class Pairs(SetMeasure):
    """The masks that the interaction of two units follows from: both off, each off, none.

    Attributes:
        within: which two units are a pair: `layer`, those of one layer; `kind`, those of one attention kind; `all`; or
            a file that names units, one address a line: any two of these.
    """

    name: str = "pairs"
    within: str = LAYER

    def check(self, layout: HeadLayout) -> None:
        """Refuse what makes no pair, too."""
        super().check(layout)
        units = self.units(layout)
        if pair_places(units, self.within):
            return
        if len(units) == 1:
            raise InputError(f"measure=pairs takes two units, and here there is one: {units[0]}")
        wider = " or ".join(within for within in (KIND, ALL) if pair_places(units, within))
        raise InputError(
            f"measure.within={self.within}: no two of the {len(units)} {self.unit.plural} stand in one {self.within}, "
            f"so that there is no pair: take measure.within={wider}"
        )

    def designs(self, layout: HeadLayout) -> Sequence[Design]:
        """The pairs."""
        units = self.units(layout)
        on = rows_without(pair_places(units, self.within), len(units))
        return (Design(DesignKind.PAIR, self.unit, tuple(map(str, units)), on, self._within),)

    @property
    def _within(self) -> DesignOptions:
        if self.within in (LAYER, KIND, ALL):
            return {"within": self.within}
        path = Path(self.within)
        return {"within": path.name, "digest": file_digest(path)}

    def masks(self, layout: HeadLayout) -> Bool[np.ndarray, "masks width"]:
        """Each unit of a pair off by itself, then the pairs."""
        units = self.units(layout)
        paired = sorted({place for pair in pair_places(units, self.within) for place in pair})
        return np.concatenate([layout.each_off(units[place] for place in paired), super().masks(layout)])
