"""Second task: what became of the tasks of a model that was taught several, one after the other."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from jaxtyping import Bool

from study.measures.measure import Measure
from study.record.units import HeadLayout, parse_mask


@dataclass(kw_only=True)
class SecondTask(Measure):
    """The score of one of the tasks, with the heads that it runs with.

    For an earlier task it is compared with the model before the latest one was taught, see `study.jobs.second_task`.
    """

    masks_units: ClassVar[bool] = False

    name: str = "second_task"


@dataclass(kw_only=True)
class OneMask(Measure):
    """The score under one mask beside that of all heads: what another job asks for, that knows the mask.

    Attributes:
        mask: the mask, by key.
    """

    masks_units: ClassVar[bool] = False

    name: str = "one_mask"
    mask: str = ""

    def masks(self, layout: HeadLayout) -> Bool[np.ndarray, "masks heads"]:
        """The mask."""
        return parse_mask(self.mask, layout)[None]
