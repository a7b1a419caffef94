"""The course of gates over a training, written as it goes, see `study.record.training.gates`."""

from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from study.record.training.gates import GatesMoment, write_course
from study.training.gate_learner import GateLearner
from study.training.trainer import Callback, Trainer

MOMENTS = 20
"""Moments that a course has at least, where there are as many updates."""


@dataclass
class GateCourse(Callback):
    """Writes the gates before the first step, whenever the history has a record, and at least `MOMENTS` times.

    Attributes:
        folder: folder of the training.
        learner: what learns the gates; among a trainer's callbacks it stands before this one.
        is_due: whether the history has a record after a step.
        moments: the course so far.
    """

    folder: Path
    learner: GateLearner
    is_due: Callable[[int], bool]
    moments: list[GatesMoment] = field(default_factory=list)

    def after_step(self, trainer: Trainer) -> None:
        """See `Callback.after_step`."""
        step, updates = trainer.step, self.learner.updates
        often = not step % max(1, updates // MOMENTS) or step == updates
        moment = self.learner.moment() if often or self.is_due(step) else None
        if moment is not None:
            self.moments.append(moment)
            write_course(self.folder, self.moments)

    def state_dict(self) -> dict[str, Any]:
        """See `Callback.state_dict`."""
        return {"course": [asdict(moment) for moment in self.moments]}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """See `Callback.load_state_dict`; what was recorded after that state is forgotten."""
        self.moments = [GatesMoment(**moment) for moment in state["course"]]
        write_course(self.folder, self.moments)
