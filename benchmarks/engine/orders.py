"""Masks with many heads off: a step of the oracle order, and pruning curves, which have hardly anything to share."""

from collections.abc import Iterator

import numpy as np
from jaxtyping import Bool

from benchmarks.counted.arithmetic import loop_work, shape_of, shared_work
from benchmarks.engine.classifiers import Work, small
from benchmarks.engine.loops import Loop, best_loop
from benchmarks.engine.sweeps import job_engine, oracle_step, random_curves, sweep
from benchmarks.measure import in_turns, repeated
from benchmarks.sizes import Sizes
from benchmarks.table import Row

ORDERS = 20


def orders(sizes: Sizes) -> Iterator[Row]:
    """Against a loop at its best."""
    work = small(sizes.small, sizes.share(4))
    loop, layout = best_loop(work.subject, work.rows), work.subject.layout
    already_off = round(len(layout) * 20 / 72)
    step = f"a step of the oracle order, {already_off} heads off"
    yield _row(step, 2, work, oracle_step(layout, already_off), loop, sizes)
    yield _row(
        f"pruning curves of {ORDERS} random orders", 1, work, random_curves(layout, ORDERS), loop, sizes.less_often()
    )


def _row(what: str, target: float, work: Work, masks: Bool[np.ndarray, "masks heads"], loop: Loop, sizes: Sizes) -> Row:
    engine = job_engine(work.subject)
    sweep(engine, work.rows[:2], masks)()  # warm
    ours = repeated(sweep(engine, work.rows, masks), sizes.repeats)
    timed = in_turns({"ours": ours, "loop": loop.way(masks, sizes.slow_masks)}, sizes.repeats)
    shape = shape_of(work.subject.module.config)
    needed = shared_work(work.rows, masks, work.subject.layout, shape).total()
    return Row(
        part="orders",
        work=f"{work.name}, {what}: {len(masks)} masks × {len(work.rows)} examples, float32",
        against=f"(b) loop, sorted, batch {loop.batch}",
        ours=timed["ours"].seconds,
        theirs=timed["loop"].seconds,
        bound=loop_work(loop.padded, len(masks), shape).total() / needed,
        target=target,
        memory=timed["ours"].memory,
        note=f"loop timed on {min(sizes.slow_masks, len(masks))} masks and scaled",
    )
