"""What every measure offers: which masks to try. The contract of `conf/measure`."""

from dataclasses import dataclass, field
from enum import IntEnum
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from jaxtyping import Bool
from omegaconf import MISSING

from study.heads import AttentionKind, HeadLayout

if TYPE_CHECKING:
    from study.evaluator import Evaluator


class Stage(IntEnum):
    """When a job of a sweep may start: a stage starts when the one before it is complete."""

    TRAIN = 0
    MEASURE = 1
    CURVES = 2
    ANALYSIS = 3


@dataclass(kw_only=True)
class Measure:
    """Which masks to try on a subject. Small: it opens no file and knows no model.

    Attributes:
        name: as in conf/measure.
        kinds: the attention kinds whose heads are masked; all that the model has when empty.
    """

    stage: ClassVar[Stage] = Stage.MEASURE

    name: str = MISSING
    kinds: list[AttentionKind] = field(default_factory=list)

    def masks(self, layout: HeadLayout) -> Bool[np.ndarray, "masks heads"]:
        """The masks to evaluate, besides the full one.

        Raises:
            InputError: when the model has no attention of a kind asked for.
        """
        raise NotImplementedError

    def run(self, evaluator: "Evaluator") -> None:
        """Ask the evaluator for all it takes."""
        evaluator.outcomes(self.masks(evaluator.layout))
