"""All single heads off, with each kind of number in the place of what is off, against zero: part `replacement`."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from jaxtyping import Bool
from numpy import ndarray

from benchmarks.engine.classifiers import small
from benchmarks.engine.decoders import decoder_work
from benchmarks.engine.loops import spread
from benchmarks.engine.sweeps import job_engine, single_heads_off, sweep
from benchmarks.engine.translators import translator
from benchmarks.measure import Way, clocked, in_turns, processor_seconds
from benchmarks.sizes import Sizes
from benchmarks.table import Row
from study.masking.stand_ins import Constant, StandIn, Uniform, Zero
from study.replacement.donors import Donors
from study.replacement.means import means
from study.replacement.options import Mean
from study.subjects.subject import Subject, TokenRow

TARGETS = {"mean": 1.15, "mean_by_position": 1.15, "uniform": 1.15, "resample": 1.3}
"""Most seconds that a sweep may take, as a multiple of those under zero."""

POSITIONS = 512
"""Positions of which each has a mean of its own."""


@dataclass(frozen=True)
class ReplacedWork:
    """A model with texts.

    Attributes:
        name: what they are.
        subject: the model.
        rows: the texts.
        masks: the masks.
    """

    name: str
    subject: Subject
    rows: Sequence[TokenRow]
    masks: Bool[ndarray, "masks width"]


def replacement(sizes: Sizes) -> Iterator[Row]:
    """A classifier, a translation model and packed choices; processor seconds."""
    for work in _works(sizes):
        yield from _rows(work, sizes.repeats)
    if translator(1) is None:
        yield Row(part="replacement", work="Multi30k model", note="skipped: HEADS_REAL names no folder that has it")


def _works(sizes: Sizes) -> Iterator[ReplacedWork]:
    first = small(sizes.small, sizes.share(8))
    yield ReplacedWork(first.name, first.subject, first.rows, single_heads_off(first.subject.layout))
    if (second := translator(max(2, sizes.sentences // 10))) is not None:
        yield ReplacedWork(second.name, second.subject, second.rows, single_heads_off(second.subject.layout))
    third = decoder_work(sizes)
    masks = spread(single_heads_off(third.subject.layout), 4 * sizes.slow_masks)
    yield ReplacedWork(f"{third.name}, HellaSwag", third.subject, third.rows["HellaSwag"][:1], masks)


def _rows(work: ReplacedWork, rounds: int) -> Iterator[Row]:
    """A row for each kind of number, all of them timed in turns."""
    subject, ways, names = work.subject, {}, {}
    for kind, make in stand_ins(subject, work.rows).items():
        with subject.gate.standing(make()):
            engine = job_engine(subject)
            run = sweep(engine, work.rows, work.masks)
            sweep(engine, work.rows[:1], work.masks[:3])()  # warm
        names[kind] = engine.name
        ways[kind] = Way([clocked(_standing(subject, make, run), processor_seconds)] * rounds)
    timed = in_turns(ways, rounds)
    for kind, target in TARGETS.items():
        name = f"{work.name}: {len(work.masks)} masks × {len(work.rows)}, {kind}"
        yield Row(
            part="replacement",
            work=name,
            against="zero",
            ours=timed[kind].seconds,
            theirs=timed["zero"].seconds,
            target=1 / target,
            memory=timed[kind].memory,
            note=names[kind],
        )


def _standing(subject: Subject, make: Callable[[], StandIn], run: Callable[[], object]) -> Callable[[], None]:
    """Donors are read anew each time, as they are remembered from one block to the next."""

    def work() -> None:
        with subject.gate.standing(make()):
            run()

    return work


def stand_ins(subject: Subject, rows: Sequence[TokenRow]) -> Mapping[str, Callable[[], StandIn]]:
    """What makes what may stand in, by name: means over these rows, and the row behind each as its donor."""
    mean = means(subject, rows, Mean())
    by_position = Constant(
        {layer: values.expand(POSITIONS, -1, -1) for layer, values in mean.of_heads.items()},
        {layer: values.expand(POSITIONS, -1) for layer, values in mean.of_mlps.items()},
    )
    ordered = sorted(rows, key=lambda row: row.cost)
    behind = dict(zip((row.example for row in ordered), [*ordered[1:], ordered[-1]], strict=True))
    return {
        "zero": Zero,
        "mean": lambda: mean,
        "mean_by_position": lambda: by_position,
        "uniform": Uniform,
        "resample": lambda: Donors(subject, lambda row: behind.get(row.example, row)),
    }
