"""All single heads off, by a classifier: parts `classifier` and `bert_base`, and `gpu` where there is one."""

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from jaxtyping import Bool

from benchmarks.counted.arithmetic import loop_work, shape_of, shared_work
from benchmarks.engine.classifiers import LONGEST, Work, shaped, small
from benchmarks.engine.loops import BATCHES, PUBLIC_BATCH, Loop, best_loop, spread
from benchmarks.engine.sweeps import job_engine, predictions, single_heads_off, sweep
from benchmarks.measure import Way, clocked, in_turns, repeated
from benchmarks.sizes import Sizes
from benchmarks.table import Row, has_bfloat16
from study.engine.precision import Precision

PUBLIC, BEST = "(a) loop, padded to 128, batch 32", "(b) loop, sorted"
Targets = dict[Precision, tuple[float | None, float | None]]
"""Times faster than (a) and (b)."""

SMALL_TARGETS: Targets = {
    Precision.float32: (12, 4),
    Precision.screened: (20, 7),
    Precision.bfloat16: (None, None),
}
LARGE_TARGETS: Targets = {Precision.float32: (10, 3), Precision.bfloat16: (None, None)}
GPU_TARGETS: Targets = {Precision.float32: (None, None), Precision.bfloat16: (None, None)}


def classifier(sizes: Sizes) -> Iterator[Row]:
    """A small classifier, trained where one is at hand."""
    return _rows("classifier", small(sizes.small, sizes.examples), SMALL_TARGETS, sizes)


def bert_base(sizes: Sizes) -> Iterator[Row]:
    """The shape of BERT-base."""
    return _rows("bert_base", shaped("BERT-base shape", sizes.large, sizes.share(8)), LARGE_TARGETS, sizes.less_often())


def gpu(sizes: Sizes) -> Iterator[Row]:
    """The shape of BERT-base on a GPU, as many examples as MNLI has."""
    if not torch.cuda.is_available():
        yield Row(part="gpu", work="BERT-base shape", note="skipped: torch sees no GPU")
        return
    work = shaped("BERT-base shape", sizes.large, sizes.gpu_examples, "cuda")
    yield from _rows("gpu", work, GPU_TARGETS, sizes.less_often(), batches=(32, 64, 128, 256, 512))


def _rows(part: str, work: Work, targets: Targets, sizes: Sizes, batches: Sequence[int] = BATCHES) -> Iterator[Row]:
    masks, shape = single_heads_off(work.subject.layout), shape_of(work.subject.module.config)
    name = f"{work.name}: {len(masks)} masks × {len(work.rows)} examples"
    skipped = {precision: reason for precision in targets if (reason := _impossible(work, precision))}
    possible = [precision for precision in targets if precision not in skipped]
    public = Loop(work.subject, work.rows, PUBLIC_BATCH, pad_to=LONGEST)
    loops = {PUBLIC: public, BEST: best_loop(work.subject, work.rows, batches)}
    ways = {name: loop.way(masks, sizes.slow_masks) for name, loop in loops.items()}
    timed = in_turns({**{p: _ours(work, p, masks, sizes) for p in possible}, **ways}, sizes.repeats)
    needed = shared_work(work.rows, masks, work.subject.layout, shape).total()
    bounds = {name: loop_work(loop.padded, len(masks), shape).total() / needed for name, loop in loops.items()}
    some = spread(masks, sizes.slow_masks)
    expected = np.stack([loops[BEST].predictions(mask) for mask in some])
    for precision in possible:
        differ = int((predictions(job_engine(work.subject, precision), work.rows, some) != expected).sum())
        for against, target in zip(loops, targets[precision], strict=True):
            batch = f", batch {loops[BEST].batch}" if against == BEST else ""
            yield Row(
                part=part,
                work=f"{name}, {precision}",
                against=f"{against}{batch}",
                ours=timed[precision].seconds,
                theirs=timed[against].seconds,
                bound=bounds[against],
                target=target,
                memory=timed[precision].memory,
                note=f"loops timed on {len(some)} masks, scaled; {differ} of {expected.size:,} predictions differ",
            )
    for precision, reason in skipped.items():
        yield Row(part=part, work=f"{name}, {precision}", note=f"skipped: {reason}")


def _ours(work: Work, precision: Precision, masks: Bool[np.ndarray, "masks heads"], sizes: Sizes) -> Way:
    """A screening measures its draft anew each time."""
    if precision is Precision.screened:
        return Way([clocked(lambda: sweep(job_engine(work.subject, precision), work.rows, masks)())] * sizes.repeats)
    engine = job_engine(work.subject, precision)
    sweep(engine, work.rows[:2], masks)()  # warm
    return repeated(sweep(engine, work.rows, masks), sizes.repeats)


def _impossible(work: Work, precision: Precision) -> str:
    """Why there is nothing to measure; empty where there is."""
    if precision is Precision.screened and not work.real:
        return "random weights decide nothing clearly"
    if precision is Precision.float32 or work.subject.device.type == "cuda" or has_bfloat16():
        return ""
    return "the processor has no bfloat16 products"
