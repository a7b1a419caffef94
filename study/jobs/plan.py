"""A dry run: how much a measure has to do and how long that will take, by a short calibration; nothing is stored."""

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Bool

from study.engine.pairs import Pairs
from study.record.tables import OUTCOMES, Gradients, Table
from study.record.units import parse_mask, stack

if TYPE_CHECKING:
    from study.engine.evaluator import Evaluator
    from study.measures.measure import MaskRequest

SECONDS = 5.0
"""Blocks are computed until this time is over; at least one is."""


@dataclass(frozen=True)
class Plan:
    """What is to be done.

    Attributes:
        masks: number of masks whose outcomes the measure needs, the full one among them.
        gradients: number of masks whose gradients it needs.
        later: how many of `masks` depend on what is not stored yet.
        examples: how many are evaluated under each mask.
        missing: rows that are not stored yet; at most, where there are masks for later.
        passes: forward passes that the engine's work comes to, for each example.
        seconds: time expected for what is missing.
        engine: what computes, and where; empty where nothing is missing.
    """

    masks: int
    gradients: int
    later: int
    examples: int
    missing: int
    passes: float
    seconds: float
    engine: str

    def __str__(self) -> str:
        """In words."""
        total = (self.masks + self.gradients) * self.examples
        work = f"{self.masks} masks × {self.examples:,} examples"
        if self.gradients:
            work += f" and gradients of {self.gradients} × {self.examples:,}"
        work += f" = {total:,} {'rows' if self.gradients else 'outcomes'}, {total - self.missing:,} of them stored"
        if self.later:
            work += f"; which masks the last {self.later} are depends on what comes out before"
        if not self.missing:
            return f"{work}; nothing to do"
        return (
            f"{work}; {self.engine}: the work of {self.passes:.1f} forward passes an example, "
            f"{self.passes * self.examples:,.0f} in all; about {Duration(self.seconds)}"
        )


def outcome_keys(evaluator: "Evaluator", wanted: "MaskRequest") -> list[str]:
    """The masks whose outcomes a measure needs, by key: the full one and its own."""
    return list(dict.fromkeys([evaluator.layout.full_key, *map(evaluator.layout.key, wanted.outcomes)]))


def missing_rows(evaluator: "Evaluator", wanted: "MaskRequest") -> dict[Table, int]:
    """How many rows of each table a measure still lacks, all that it will ask for later counted."""
    later = {OUTCOMES: wanted.later, Gradients(wanted.loss): wanted.later_gradients}
    return {
        table: sum(map(len, evaluator.remaining(keys, table).values())) + later[table] * len(evaluator.examples)
        for table, keys in _keys(evaluator, wanted).items()
    }


def plan(evaluator: "Evaluator", wanted: "MaskRequest") -> Plan:
    """Count what is missing of the masks wanted and the full one, and time some blocks of it."""
    keys, missing = _keys(evaluator, wanted), missing_rows(evaluator, wanted)
    passes, seconds, engine = 0.0, 0.0, ""
    for table, count in missing.items():
        if count:
            # masks that are not known yet cost what any mask of their number would: the full one stands for them
            left = list(evaluator.remaining(keys[table], table)) or [evaluator.layout.full_key]
            masks = stack([parse_mask(key, evaluator.layout) for key in left], evaluator.layout)
            share = count / (len(left) * len(evaluator.examples))
            passes += share * (evaluator.engine.passes(masks) if table == OUTCOMES else table.passes * len(masks))
            seconds += share * _seconds(evaluator, masks, table)
            engine = f"{evaluator.engine.name} on {evaluator.engine.subject.device}"
    return Plan(
        masks=len(keys[OUTCOMES]) + wanted.later,
        gradients=len(keys[Gradients(wanted.loss)]) + wanted.later_gradients,
        later=wanted.later,
        examples=len(evaluator.examples),
        missing=sum(missing.values()),
        passes=passes,
        seconds=seconds,
        engine=engine,
    )


def _keys(evaluator: "Evaluator", wanted: "MaskRequest") -> dict[Table, list[str]]:
    gradients = () if wanted.gradients is None else wanted.gradients
    return {
        OUTCOMES: outcome_keys(evaluator, wanted),
        Gradients(wanted.loss): list(dict.fromkeys(map(evaluator.layout.key, gradients))),
    }


def _seconds(evaluator: "Evaluator", masks: Bool[np.ndarray, "M H"], table: Table) -> float:
    """Expected for all of these masks on all examples, at the rate of some blocks; cost goes with their tokens."""
    rows, engine = evaluator.encoded, evaluator.engine
    begin, computed, seconds = time.perf_counter(), 0, 0.0
    for number, done in enumerate(engine.run(rows, Pairs.every(masks, len(rows)), table), start=1):
        computed += sum(rows[i].cost for i in done.examples.tolist())
        seconds = time.perf_counter() - begin
        if seconds > SECONDS and number >= engine.workers:  # as many have ended as are under way
            break
    return seconds / computed * len(masks) * sum(row.cost for row in rows)


class Duration(float):
    """Seconds, shown as people say them."""

    def __str__(self) -> str:
        if self < 90:
            return f"{self:.0f} s"
        return f"{self / 60:.0f} min" if self < 90 * 60 else f"{self / 3600:.1f} h"
