"""Importance: the gradient rows of all examples, against a plain forward and backward pass of the same batches."""

from collections.abc import Iterator

from benchmarks.engine.classifiers import Work, small
from benchmarks.engine.sweeps import job_engine
from benchmarks.measure import in_turns, repeated
from benchmarks.sizes import Sizes
from benchmarks.table import Row
from study.engine.blocks import in_batches
from study.engine.engine import Engine
from study.engine.pairs import Pairs
from study.record.tables import GRADIENTS


def importance(sizes: Sizes) -> Iterator[Row]:
    """Gradients under the full mask: at most 0.8 times their seconds, as weights need no gradient."""
    work = small(sizes.small, sizes.examples)
    engine, full = job_engine(work.subject), work.subject.layout.full()[None]
    pairs = Pairs.every(full, len(work.rows))
    ours = repeated(lambda: list(engine.run(work.rows, pairs, GRADIENTS)), sizes.repeats)
    plain = repeated(lambda: _plain(work), sizes.repeats)
    in_turns({"ours": ours, "plain": plain}, 1)  # warm
    timed = in_turns({"ours": ours, "plain": plain}, sizes.repeats)
    yield Row(
        part="importance",
        work=f"{work.name}: gradients of {len(work.subject.layout)} heads × {len(work.rows)} examples",
        against="forward + backward of the same batches, weights with gradients",
        ours=timed["ours"].seconds,
        theirs=timed["plain"].seconds,
        target=1 / 0.8,
        memory=timed["ours"].memory,
        note=f"the other took {timed['plain'].memory / 1e9:.2g} GB",
    )


def _plain(work: Work) -> None:
    """As in training, without a step; it says nothing of single examples or heads."""
    module = work.subject.module.requires_grad_(requires_grad=True)
    try:
        for batch in in_batches([len(row.source) for row in work.rows], Engine.gradient_tokens):
            work.subject.losses([work.rows[i] for i in batch.tolist()]).sum().backward()
            module.zero_grad(set_to_none=True)
    finally:
        module.requires_grad_(requires_grad=False)
