"""Calibration: how far drafts are off under each mask, seen on decisions that are computed exactly; and what pays."""

import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from functools import cache

import numpy as np
import torch

from study.engine.blocks import Columns
from study.engine.cascade.answers import Answers
from study.engine.weights.linear import Linear
from study.record.cascade import Stage, Thresholds

TIMED_SHAPE, TIMED_ROUNDS = (1024, 512, 512), 5
"""Rows, inputs and outputs of the product by which it is seen whether low precision is faster, and how often."""

FASTER = 0.75
"""Share of float32's time that products in bfloat16 may take for their stage to pay."""

MARGIN, ERROR = "margin of ", "error of "
"""Begin the names of the columns that stand beside exact outcomes, one a draft stage."""


def beside(exact: Answers, drafts: Mapping[Stage, Answers]) -> Columns:
    """Exact outcomes, and beside them the margin and the error of each draft."""
    columns = dict(exact.columns)
    for stage, draft in drafts.items():
        columns |= {f"{MARGIN}{stage}": draft.margins, f"{ERROR}{stage}": draft.errors(exact)}
    return columns


class Errors:
    """What drafts were off by, by stage and mask."""

    def __init__(self) -> None:
        self._seen: dict[tuple[Stage, str], list[tuple[float, float]]] = defaultdict(list)

    def take(self, keys: Sequence[str], columns: Columns) -> Columns:
        """Learn from what stands beside the outcomes of these masks, by key; the outcomes alone."""
        for stage in Stage:
            if f"{ERROR}{stage}" in columns:
                rows = zip(keys, columns[f"{MARGIN}{stage}"].tolist(), columns[f"{ERROR}{stage}"].tolist(), strict=True)
                for key, margin, error in rows:
                    self._seen[stage, key].append((margin, error))
        return {name: own for name, own in columns.items() if not name.startswith((MARGIN, ERROR))}

    def thresholds(self, safety: float) -> Thresholds:
        """The largest errors times a safety factor."""
        found: dict[Stage, dict[str, float]] = {}
        for (stage, key), seen in self._seen.items():
            found.setdefault(stage, {})[key] = safety * max(error for _, error in seen)
        return Thresholds(found)

    def decided(self, stage: Stage, thresholds: Thresholds) -> dict[str, float]:
        """The share of the decisions that were looked at that a stage would take under its threshold, by mask."""
        return {
            key: float(np.mean([margin > thresholds.at(stage, key) for margin, _ in seen]))
            for (of, key), seen in self._seen.items()
            if of is stage
        }


def bfloat16_pays(device: torch.device) -> bool:
    """Whether products in bfloat16 are faster here than in float32, by a short timing: not every processor has them."""
    return _is_faster(torch.get_num_threads()) if device.type == "cpu" else device.type == "cuda"


@cache
def _is_faster(threads: int) -> bool:  # noqa: ARG001
    """Whether they are on this processor with so many threads; both take turns, so that a busy while meets both."""
    rows, inputs, outputs = TIMED_SHAPE
    generator = torch.Generator().manual_seed(0)
    weight, x = (torch.randn(size, generator=generator) for size in ((outputs, inputs), (rows, inputs)))
    products = [(Linear(weight.to(dtype), None), x.to(dtype)) for dtype in (torch.float32, torch.bfloat16)]
    for linear, own in products:
        linear(own)  # warm
    seconds = [[_seconds(linear, own) for linear, own in products] for _ in range(TIMED_ROUNDS)]
    float32, bfloat16 = map(min, zip(*seconds, strict=True))
    return bfloat16 < FASTER * float32


def _seconds(linear: Linear, x: torch.Tensor) -> float:
    start = time.process_time()
    linear(x)
    return time.process_time() - start
