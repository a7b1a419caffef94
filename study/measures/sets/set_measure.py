"""What measures of sets have in common: their masks are designs, which are kept before the first row is computed."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Bool, Float

from study.measures.measure import MaskRequest, UnitMeasure
from study.measures.sets.search import ROUNDING
from study.record.designs import Design
from study.record.errors import InputError
from study.record.metrics import Metric, Task
from study.record.units import HeadLayout, stack
from study.terminal.once import say_once

if TYPE_CHECKING:
    from study.engine.evaluator import Evaluator


log = logging.getLogger(__name__)

MOST_TOLD = 3
"""Units or pairs that the last line of a job names."""


def require_all(evaluator: "Evaluator", measure: str) -> None:
    """Refuse a job with a share of the examples, where all of them decide which masks come next."""
    if len(evaluator.examples) < len(evaluator.whole):
        raise InputError(f"measure={measure} decides by all examples as it goes: run it without shards")


def chance_found(evaluator: "Evaluator") -> str | None:
    """What to say of a model whose base score is no better than chance (`study.record.chance`); None of any other.

    On examples of one label no classifier is seen to be better: one that always gives this label has every answer.
    """
    examples = evaluator.examples.to_frame()
    if evaluator.metric.task is Task.CLASSIFICATION and examples["target"].n_unique() == 1:
        return f"all examples have one label, '{examples['target'][0]}', and no answer tells whether its input was read"
    base, expected = evaluator.base_score(), evaluator.chance()
    if expected is None or base > expected + ROUNDING:
        return None
    shown = evaluator.metric.shown
    return f"the base score is {shown(base)}, no better than chance ({shown(expected)})"


def largest(
    names: Sequence[str], values: Float[np.ndarray, " names"], half: Float[np.ndarray, " names"], metric: Metric
) -> list[str]:
    """The largest of some values in words, whatever their sign, each with half of its interval."""
    digits, first = metric.digits, np.argsort(-np.abs(values), kind="stable")[:MOST_TOLD].tolist()
    return [f"{names[at]} {values[at]:+.{digits}f} ± {half[at]:.{digits}f}" for at in first]


@dataclass(kw_only=True)
class SetMeasure(UnitMeasure):
    """A measure whose masks turn several units off, and mean something together."""

    def designs(self, layout: HeadLayout) -> Sequence[Design]:
        """What its masks mean."""
        raise NotImplementedError

    def masks(self, layout: HeadLayout) -> Bool[np.ndarray, "masks width"]:
        """Those of its designs."""
        return np.concatenate([stack([], layout), *(design.masks(layout) for design in self.designs(layout))])

    def run(self, evaluator: "Evaluator") -> None:
        """Doubt a model that does no better than one that reads nothing, then go on as every measure."""
        if (found := chance_found(evaluator)) is not None:
            say_once(log.warning, "%s: its effects say nothing of a task", found)
        super().run(evaluator)

    def request(self, evaluator: "Evaluator") -> MaskRequest:
        """Its masks, and what they mean."""
        layout = evaluator.layout
        return MaskRequest(self.masks(layout), designs=tuple(self.designs(layout)))
