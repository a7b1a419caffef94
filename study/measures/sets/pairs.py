"""Pairs: two units off together, beside each of them off by itself."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Bool, Float

from study.measures.sets.first_scale import group_sums
from study.measures.sets.set_measure import SetMeasure, largest
from study.record.designs import Design, DesignKind
from study.record.designs.design import DesignOptions, rows_without
from study.record.designs.jackknife import standard_error
from study.record.designs.pairs import ALL, KIND, LAYER, pair_places
from study.record.designs.sample_size import ALPHA
from study.record.designs.values import student, without_groups
from study.record.errors import InputError
from study.record.files import file_digest
from study.record.units import HeadLayout

if TYPE_CHECKING:
    from study.engine.evaluator import Evaluator


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

    def answer(self, evaluator: "Evaluator") -> str:
        """The largest interactions, with intervals that hold for all pairs together; `study report` tests them."""
        layout = evaluator.layout
        (design,) = self.designs(layout)
        if evaluator.stored().lacks(np.concatenate([layout.full()[None], self.masks(layout)])):
            return ""
        off = [np.flatnonzero(~row) for row in design.on]
        alone = [layout.key(mask) for mask in layout.each_off(design.parsed())]
        one, other = ([alone[pair[number]] for pair in off] for number in (0, 1))
        keys = [*design.keys(layout), *one, *other, *[layout.full_key] * len(off)]
        try:
            metric, sums, at = group_sums(evaluator, keys)
        except InputError:
            return ""
        signs = np.array([1, -1, -1, 1])

        def interactions(scores: Float[np.ndarray, "_ keys"]) -> Float[np.ndarray, "_ pairs"]:
            return np.einsum("s,gsp->gp", signs, scores.reshape(len(scores), 4, -1))

        (values,) = interactions(metric.score(sums.sum(axis=1, dtype=np.int64))[None, at])
        without = np.concatenate([interactions(left) for left in without_groups(metric, sums, at)])
        half = student(ALPHA / len(off), len(without) - 1) * standard_error(without)
        told = "; ".join(largest([" and ".join(design.off(pair)) for pair in range(len(off))], values, half, metric))
        return f"largest interactions of {len(off):,} pairs ({metric.unit}, intervals hold for all together): {told}"
