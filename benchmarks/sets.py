"""Sets of heads: pairs, which share what lies below their upper head, and coalitions, which share hardly anything."""

from collections.abc import Iterator

import numpy as np
from jaxtyping import Bool

from benchmarks.counted.arithmetic import loop_work, shape_of, shared_work
from benchmarks.engine.classifiers import Work, small
from benchmarks.engine.loops import best_loop, spread
from benchmarks.engine.sweeps import job_engine, sweep
from benchmarks.measure import Way, clocked, in_turns, processor_seconds
from benchmarks.program.many_masks import many_masks
from benchmarks.sizes import Sizes
from benchmarks.table import Row
from study.measures.sets.pairs import Pairs
from study.measures.sets.shapley import Shapley
from study.record.units import HeadLayout

COALITIONS = 400


def sets(sizes: Sizes) -> Iterator[Row]:
    """Against a loop at its best, and against a plain reader of what is stored; processor seconds."""
    few, more = small(sizes.small, sizes.share(64)), small(sizes.small, sizes.share(16))
    layout = few.subject.layout
    yield _row("pairs within layers", 2.2, more, _masks(Pairs(), layout), sizes)
    yield _row("all pairs", 3.2, few, _masks(Pairs(within="all"), layout), sizes)
    yield _row("coalitions", 1.3, few, _masks(Shapley(coalitions=COALITIONS, semivalue=None), layout), sizes)
    yield from many_masks(sizes)


def _masks(measure: Pairs | Shapley, layout: HeadLayout) -> Bool[np.ndarray, "masks heads"]:
    """The masks that a job computes: each once, those of single heads and the full one among them."""
    return np.unique(np.concatenate([layout.full()[None], measure.masks(layout)]), axis=0)


def _row(what: str, target: float, work: Work, masks: Bool[np.ndarray, "masks heads"], sizes: Sizes) -> Row:
    engine, loop = job_engine(work.subject), best_loop(work.subject, work.rows)
    sweep(engine, work.rows[:2], masks[:8])()  # warm
    ours = Way([clocked(sweep(engine, work.rows, masks), processor_seconds)] * sizes.repeats)
    some = spread(masks, sizes.slow_masks)
    theirs = Way([clocked(lambda mask=mask: loop.predictions(mask), processor_seconds) for mask in some], len(masks))
    timed = in_turns({"ours": ours, "loop": theirs}, sizes.repeats)
    needed = shared_work(work.rows, masks, work.subject.layout, shape_of(work.subject.module.config)).total()
    return Row(
        part="sets",
        work=f"{work.name}, {what}: {len(masks):,} masks × {len(work.rows)} examples, float32",
        against=f"(b) loop, sorted, batch {loop.batch}",
        ours=timed["ours"].seconds,
        theirs=timed["loop"].seconds,
        bound=loop_work(loop.padded, len(masks), shape_of(work.subject.module.config)).total() / needed,
        target=target,
        memory=timed["ours"].memory,
        note=f"loop timed on {min(sizes.slow_masks, len(masks))} masks and scaled; processor seconds",
    )
