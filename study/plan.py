"""A dry run: how much a measure has to do and how long that will take, by a short calibration; nothing is stored."""

import time
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool

from study.evaluator import Evaluator
from study.heads import mask_key, parse_mask, stack

SECONDS = 5.0
"""Blocks are computed until this time is over; at least one is."""


@dataclass(frozen=True)
class Plan:
    """What is to be done.

    Attributes:
        masks: of the measure, the full one among them.
        examples: each of which is evaluated under each mask.
        missing: outcomes that are not stored yet.
        passes: forward passes that the engine's work for these masks comes to, for each example.
        seconds: expected for what is missing.
        engine: what computes.
        device: where.
    """

    masks: int
    examples: int
    missing: int
    passes: float
    seconds: float
    engine: str
    device: str

    def __str__(self) -> str:
        """In words."""
        total = self.masks * self.examples
        stored = total - self.missing
        work = f"{self.masks} masks × {self.examples:,} examples = {total:,} outcomes, {stored:,} of them stored"
        if not self.missing:
            return f"{work}; nothing to do"
        return (
            f"{work}; {self.engine} on {self.device}: the work of {self.passes:.1f} forward passes an example, "
            f"{self.passes * self.examples:,.0f} in all; about {duration(self.seconds)}"
        )


def plan(evaluator: Evaluator, masks: Bool[np.ndarray, "masks heads"]) -> Plan:
    """Count what is missing, and time some blocks of it.

    Args:
        evaluator: of the model on the data.
        masks: of the measure; the full mask is added.
    """
    layout = evaluator.layout
    keys = list(dict.fromkeys([mask_key(layout.full()), *map(mask_key, masks)]))
    missing = evaluator.remaining(keys)
    num_missing = sum(map(len, missing.values()))
    engine = evaluator.engine
    left = stack([parse_mask(key, layout) for key in missing], layout)
    positions = sorted({i for some in missing.values() for i in some})
    seconds = _seconds(evaluator, left, positions) if num_missing else 0.0
    return Plan(
        masks=len(keys),
        examples=len(evaluator.examples),
        missing=num_missing,
        passes=engine.passes(left) if num_missing else 0.0,
        seconds=seconds * num_missing / max(1, len(left) * len(positions)),
        engine=engine.name,
        device=str(engine.subject.device),
    )


def _seconds(evaluator: Evaluator, masks: Bool[np.ndarray, "masks heads"], positions: list[int]) -> float:
    """Expected for all of these masks on these examples, at the rate of some blocks; cost goes with their tokens."""
    rows = [evaluator.encoded[i] for i in positions]
    wanted = np.ones((len(masks), len(rows)), dtype=bool)
    begin, computed = time.perf_counter(), 0
    for done in evaluator.engine.run(rows, masks, wanted):
        computed += sum(rows[i].cost for i in done.examples.tolist())
        if time.perf_counter() - begin > SECONDS:
            break
    return (time.perf_counter() - begin) / computed * len(masks) * sum(row.cost for row in rows)


def duration(seconds: float) -> str:
    """A time as people say it."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    if seconds < 90 * 60:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h"
