"""A dry run: what a measure has to do, how long that will take and in how much memory; nothing is stored.

Both are measured on a few blocks. Blocks of an engine are of like size, so that the height of some is that of all.
"""

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Bool

from study.engine.pairs import Pairs, TableRequest
from study.engine.probes import seconds_of
from study.record.tables import OUTCOMES, Gradients, Table
from study.record.units import parse_mask, stack

if TYPE_CHECKING:
    from study.engine.evaluator import Evaluator
    from study.measures.measure import MaskRequest

CALIBRATED = ": the more decisions first order takes, the less, and how many it takes is known once it is calibrated"

SECONDS = 5.0
"""Blocks are computed until this time is over; at least one is."""


@dataclass(frozen=True)
class Plan:
    """What is to be done.

    Attributes:
        masks: number of masks whose rows are needed of each table.
        later: how many of the masks depend on what is not stored yet.
        examples: how many are evaluated under each mask, each draw counted.
        rows: rows that are needed in all.
        missing: rows that are not stored yet; at most, where there are masks for later.
        surely: rows that are missing at least, where what comes out decides how many masks there are.
        passes: forward passes that the engine's work comes to, for each example.
        seconds: time expected for what is missing.
        least_seconds: time expected for what is missing at least.
        memory: bytes that the calibration took at its height, the model counted: of a GPU, else of the process.
        engine: what computes, and where; empty where nothing is missing.
        before: what is done before, in words; empty where nothing is.
        draws: how often each example is studied.
        may_be_less: why it may be less, in words; empty where it is what is expected.
    """

    masks: Mapping[Table, int]
    later: int
    examples: int
    rows: int
    missing: int
    surely: int
    passes: float
    seconds: float
    least_seconds: float
    memory: int
    engine: str
    before: str = ""
    draws: int = 1
    may_be_less: str = ""

    def with_means(self, examples: int, seconds: float) -> "Plan":
        """The plan, where the means of so many reference examples must be taken first, in so many seconds."""
        before = f"{self.before}; before, the means of {examples:,} reference examples, {Duration(seconds)}"
        least = self.least_seconds + seconds
        return replace(self, seconds=self.seconds + seconds, least_seconds=least, before=before)

    def __str__(self) -> str:
        """In words."""
        parts = [f"{table} of {masks} × {self.examples:,}" for table, masks in self.masks.items() if table != OUTCOMES]
        if OUTCOMES in self.masks:
            of_each = f" ({self.draws} draws of each)" if self.draws > 1 else ""
            count = f"{-(-self.examples // self.draws):,} examples{of_each}"
            parts.insert(0, f"{self.masks[OUTCOMES]} masks × {count}")
        what = "outcomes" if list(self.masks) == [OUTCOMES] else "rows"
        work = f"{' and '.join(parts)} = {self.rows:,} {what}, {self.rows - self.missing:,} of them stored"
        if self.surely < self.missing:
            work = (
                f"{self.surely:,} to {self.missing:,} rows to compute, {self.rows - self.missing:,} of all stored: how "
                f"many masks there are, at most {self.masks[OUTCOMES]:,}, depends on what comes out"
            )
        elif self.later:
            work += f"; which masks the last {self.later} are depends on what comes out before"
        if not self.missing:
            return f"{work}; nothing to do"
        is_range = self.surely < self.missing or bool(self.may_be_less)
        most, least = ("at most ", f"{Duration(self.least_seconds)} to ") if is_range else ("", "")
        return (
            f"{work}; {self.engine}: {most}the work of {self.passes:.1f} forward passes an example, "
            f"{self.passes * self.examples:,.0f} in all{self.before}; about "
            f"{least}{Duration(self.seconds)}, {self.memory / 1e9:.1f} GB of memory with the model{self.may_be_less}"
        )


def table_requests(evaluator: "Evaluator", wanted: "MaskRequest") -> list[TableRequest]:
    """The rows that a measure needs, by table; outcomes of the full mask are among them where anything is scored."""
    layout = evaluator.layout
    found = list(wanted.others)
    if wanted.gradients is not None or wanted.later_gradients:
        gradients = stack([], layout) if wanted.gradients is None else wanted.gradients
        found.insert(0, TableRequest(Gradients(wanted.loss), gradients, later=wanted.later_gradients))
    if evaluator.setting.is_scored:
        outcomes = np.concatenate([layout.full()[None], wanted.outcomes])
        found.insert(0, TableRequest(OUTCOMES, outcomes, later=wanted.later))
    return found


def missing_rows(evaluator: "Evaluator", wanted: "MaskRequest") -> dict[Table, int]:
    """How many rows of each table a measure still lacks, with all that it will ask for later.

    Where what comes out decides how many masks there are, at most so many.
    """
    found: dict[Table, int] = {}
    for request in table_requests(evaluator, wanted):
        rows = sum(map(len, evaluator.lacking(request).values())) + _later(evaluator, request)
        found[request.table] = found.get(request.table, 0) + rows
    return found


def _later(evaluator: "Evaluator", request: TableRequest) -> int:
    """Rows of masks that are not known yet, at most."""
    return request.later * evaluator.number_of(request)


def _surely(evaluator: "Evaluator", request: TableRequest) -> int:
    """Rows of masks that are not known yet, at least."""
    return _later(evaluator, request) if request.surely is None else request.surely * evaluator.number_of(request)


def plan(evaluator: "Evaluator", wanted: "MaskRequest") -> Plan:
    """Count what is missing of the rows wanted, and time some blocks of it."""
    requests, count = table_requests(evaluator, wanted), len(evaluator.examples)
    passes, seconds, least_seconds, memory, engine, may_be_less = 0.0, 0.0, 0.0, 0, "", ""
    for tables, masks, rows, least in _work(evaluator, requests):
        share, least_share = (number / (len(masks) * count) for number in (rows, least))
        whole = evaluator.engine.passes(masks) if tables == (OUTCOMES,) else tables[0].passes * len(masks)
        passes += share * whole
        if tables == (OUTCOMES,) and (drafted := evaluator.engine.least_passes(masks, count)) < whole:
            least_share, may_be_less = least_share * drafted / whole, CALIBRATED
        expected, taken = _measured(evaluator, masks, tables)
        seconds, least_seconds = seconds + share * expected, least_seconds + least_share * expected
        memory = max(memory, taken)
        engine = f"{evaluator.engine.name} on {evaluator.engine.subject.device}"
    before = ""
    if wanted.probe is not None:
        training, expected = wanted.probe.training, seconds_of(evaluator, wanted.probe)
        seconds, least_seconds = seconds + expected, least_seconds + expected
        how = (
            f"trained on {training.sentences:,} sentences, {Duration(expected)}"
            if expected
            else "taken from other data"
        )
        before = f"; before, a probe is {how}"
    number: dict[Table, int] = {}
    for request in requests:
        number[request.table] = number.get(request.table, 0) + len(evaluator.keys(request.masks)) + request.later
    missing = sum(missing_rows(evaluator, wanted).values())
    unsure = sum(_later(evaluator, request) - _surely(evaluator, request) for request in requests)
    return Plan(
        masks=number,
        later=wanted.later,
        examples=count,
        rows=sum(evaluator.needed(request) + _later(evaluator, request) for request in requests),
        missing=missing,
        surely=missing - unsure,
        passes=passes,
        seconds=seconds,
        least_seconds=least_seconds,
        memory=memory,
        engine=engine,
        before=before,
        draws=evaluator.setting.draws,
        may_be_less=may_be_less,
    )


def _work(
    evaluator: "Evaluator", requests: Sequence[TableRequest]
) -> Iterator[tuple[tuple[Table, ...], Bool[np.ndarray, "M H"], int, int]]:
    """The tables that are computed together, the masks that lack rows of them, and how many of each table they lack.

    Rows of masks that are not known yet are among these, which are therefore two numbers, at most and at least.
    """
    later: dict[Table, tuple[int, int]] = {}
    for request in requests:
        if request.later:
            most, least = later.get(request.table, (0, 0))
            later[request.table] = most + _later(evaluator, request), least + _surely(evaluator, request)
    layout = evaluator.layout
    for tables, lacking in evaluator.together(requests):
        masks = stack([parse_mask(key, layout) for key in lacking], layout)
        (most, least), known = later.pop(tables[0], (0, 0)), sum(map(len, lacking.values()))
        yield tables, masks, known + most, known + least
    for table, (most, least) in later.items():
        # masks that are not known yet cost what any mask of their number would: the full one stands for them
        yield (table,), layout.full()[None], most, least


def _measured(evaluator: "Evaluator", masks: Bool[np.ndarray, "M H"], tables: Sequence[Table]) -> tuple[float, int]:
    """Seconds expected for all of these masks on all examples, and bytes taken, by some blocks.

    Cost goes with the tokens of examples.
    """
    from study.engine.memory import peak_memory  # takes torch, which is there once anything is missing

    rows, engine = evaluator.encoded_for(tables), evaluator.engine
    engine = engine.exact if engine.has_stages else engine  # what other stages take is known once they are calibrated
    begin, computed, seconds = time.perf_counter(), 0, 0.0
    with peak_memory(engine.subject.device) as peak:
        for number, done in enumerate(engine.run_together(rows, Pairs.every(masks, len(rows)), tables), start=1):
            computed += sum(rows[i].cost for i in done[tables[0]].examples.tolist())
            seconds = time.perf_counter() - begin
            if seconds > SECONDS and number >= engine.workers:  # as many have ended as are under way
                break
    return seconds / computed * len(masks) * sum(row.cost for row in rows), peak()


class Duration(float):
    """Seconds, shown as people say them."""

    def __str__(self) -> str:
        if self < 90:
            return f"{self:.0f} s"
        return f"{self / 60:.0f} min" if self < 90 * 60 else f"{self / 3600:.1f} h"
