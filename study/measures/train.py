"""Train: no mask, but the training of a model whose checkpoints are then studied (figure 5)."""

from dataclasses import dataclass
from typing import ClassVar

from study.measures.measure import Measure, Stage


@dataclass(kw_only=True)
class Train(Measure):
    """The training of the model, in the stage before all that measures it; see `study.jobs.training`.

    It is of no data set and of no epoch: jobs that differ in nothing else are one.
    """

    masks_units: ClassVar[bool] = False

    name: str = "train"

    @property
    def stage(self) -> Stage:
        """Before all that measures the model."""
        return Stage.TRAIN
