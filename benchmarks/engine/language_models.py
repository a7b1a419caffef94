"""All single heads off, by a language model: part `language_models`; and the importance of all of its units."""

from collections.abc import Iterator, Sequence

import numpy as np
from jaxtyping import Bool

from benchmarks.engine.decoder_loops import HarnessLoop, PlainLoop, best_loop
from benchmarks.engine.decoders import DecoderWork, decoder_work
from benchmarks.engine.loops import spread
from benchmarks.engine.sweeps import job_engine, single_heads_off, sweep
from benchmarks.measure import Way, clocked, in_turns, processor_seconds
from benchmarks.sizes import Sizes
from benchmarks.table import Row
from study.engine.engine import Engine
from study.engine.growing.language_model import GrowingLanguageModel
from study.engine.growth import plan_rows
from study.engine.pairs import Pairs
from study.record.tables import GRADIENTS
from study.subjects.language_model.requests import LanguageRow
from study.subjects.language_model.subject import LanguageModel

LOOPS: dict[str, type[PlainLoop]] = {"(e) loop, words where scored": PlainLoop, "(f) loop of a harness": HarnessLoop}
TARGETS = {"HellaSwag": (3.5, 4.0), "BLiMP": (1.9, 2.5), "WikiText": (1.4, 1.5)}


def language_models(sizes: Sizes) -> Iterator[Row]:
    """SmolLM2-135M on choices with a long context, on minimal pairs and on a text; processor seconds."""
    work = decoder_work(sizes)
    masks, engine = single_heads_off(work.subject.layout), job_engine(work.subject)
    for data in work.rows:
        yield from _rows(work, data, engine, masks, sizes.less_often())
        yield _importance(work, data, engine, sizes)


def _rows(
    work: DecoderWork, data: str, engine: Engine, masks: Bool[np.ndarray, "masks width"], sizes: Sizes
) -> Iterator[Row]:
    subject, rows = work.subject, work.rows[data]
    loops = {name: best_loop(kind, subject, rows, subject.layout.full()) for name, kind in LOOPS.items()}
    ours = Way([clocked(sweep(engine, rows, masks), processor_seconds)] * sizes.repeats)
    number = sizes.slow_masks // 2
    timed = in_turns({"ours": ours, **{name: loop.way(masks, number) for name, loop in loops.items()}}, sizes.repeats)
    some = spread(masks, number)
    difference = _difference(engine, rows, some, loops)
    for (name, loop), target in zip(loops.items(), TARGETS[data], strict=True):
        yield Row(
            part="language_models",
            work=f"{work.name}, {data}: {len(masks)} masks × {len(rows)}",
            against=f"{name}, batch {loop.batch}",
            ours=timed["ours"].seconds,
            theirs=timed[name].seconds,
            bound=_bound(engine, rows, masks, loop, subject),
            target=target,
            memory=timed["ours"].memory,
            note=f"loops timed on {len(some)} masks, scaled; sums differ by {difference:.1g} of the largest",
        )


def _importance(work: DecoderWork, data: str, engine: Engine, sizes: Sizes) -> Row:
    """The gradients of all units for each example: at most 1.5 times a forward and a backward pass."""
    subject, rows = work.subject, work.rows[data]
    full = subject.layout.full()
    loop, pairs = best_loop(PlainLoop, subject, rows, full), Pairs.every(full[None], len(rows))
    works = {"ours": lambda: list(engine.run(rows, pairs, GRADIENTS)), "plain": loop.backward}
    ways = {name: Way([clocked(own, processor_seconds)] * sizes.repeats) for name, own in works.items()}
    in_turns(ways, 1)  # warm
    timed = in_turns(ways, sizes.repeats)
    return Row(
        part="language_models",
        work=f"{work.name}, {data}: gradients of {subject.layout.width} units × {len(rows)}",
        against=f"forward + backward, words where scored, weights with gradients, batch {loop.batch}",
        ours=timed["ours"].seconds,
        theirs=timed["plain"].seconds,
        target=1 / 1.5,
        memory=timed["ours"].memory,
        note=f"the other took {timed['plain'].memory / 1e9:.2g} GB",
    )


def _difference(
    engine: Engine, rows: Sequence[LanguageRow], masks: Bool[np.ndarray, "masks width"], loops: dict[str, PlainLoop]
) -> float:
    """The largest difference of a sum from a loop's, as a share of the largest."""
    found = np.zeros((len(masks), len(rows)), dtype=object)
    for block in engine.run(rows, Pairs.every(masks, len(rows))):
        sums = block.columns["loglik"].to_list() if "loglik" in block.columns else -block.columns["nll"][:, None]
        for mask, example, own in zip(block.masks, block.examples, sums, strict=True):
            found[mask, example] = list(own)
    lengths = [len(request.read) for row in rows for request in row.requests]
    ours = np.array([np.concatenate(list(row)) for row in found])[:, np.argsort(lengths, kind="stable")]
    theirs = [np.array([loop.sums(mask) for mask in masks]) for loop in loops.values()]
    return max(float(np.abs(ours - one).max() / np.abs(one).max()) for one in theirs)


def _bound(
    engine: Engine,
    rows: Sequence[LanguageRow],
    masks: Bool[np.ndarray, "masks width"],
    loop: PlainLoop,
    subject: LanguageModel,
) -> float | None:
    """How many times fewer multiply-adds ours needs: those of weights; attention itself is left out."""
    if not isinstance(engine, GrowingLanguageModel):
        return None
    layers = list(subject.module.get_decoder().layers)
    layer = sum(weight.numel() for weight in layers[0].parameters() if weight.dim() > 1)
    words = subject.module.get_output_embeddings().weight.numel()
    plan, trees = plan_rows(Pairs.every(masks, 1), engine.stages), [tree for row in rows for tree in engine.trees(row)]
    grown = sum(len(growth.parent) for growth in plan.layers)
    ours = sum(grown * layer * len(tree.tokens) + len(masks) * words * len(tree.places) for tree in trees)
    everywhere = loop.padded if isinstance(loop, HarnessLoop) else loop.scored
    return len(masks) * (loop.padded * len(layers) * layer + everywhere * words) / ours
