"""Table 4 of the paper: examples per second of a classifier whose heads are really removed, against the original."""

from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np
import torch

from benchmarks.engine.classifiers import Work, shaped
from benchmarks.measure import Way, clocked, in_turns, more_memory
from benchmarks.sizes import Shape, Sizes
from benchmarks.table import Row
from study.pruning.prune import cut
from study.subjects.classifier import Classifier

SHARES = (0.0, 0.25, 0.5, 0.75)
"""Shares of the heads that are removed."""

BATCHES = (1, 4, 16, 64)
LENGTH = 32
"""Tokens of every example: what is timed is the same work at every batch size."""

AT_LEAST = 16
"""Examples of a sample that is timed; small batches go through one after the other."""

LAYERS = 6
"""Layers of the large shape; time is in proportion to them."""


def pruned(sizes: Sizes) -> Iterator[Row]:
    """Random heads, the same number of examples at every batch size, all models in turns."""
    shape = replace(sizes.large, layers=min(sizes.large.layers, LAYERS))
    number = max(BATCHES)
    subjects = {share: _smaller(shape, share, number) for share in SHARES}
    parameters = {share: work.subject.module.num_parameters() for share, work in subjects.items()}
    for batch in BATCHES:
        passes = {share: _passes(work, batch) for share, work in subjects.items()}
        timed_at_once = max(batch, AT_LEAST)
        ways = {
            f"{share:.0%}": Way([clocked(run)] * sizes.repeats, number / timed_at_once) for share, run in passes.items()
        }
        for run in passes.values():
            run()  # warm
        timed = in_turns(ways, sizes.repeats)
        for share, run in passes.items():
            with more_memory() as peak:
                run()
            mine = timed[f"{share:.0%}"]
            ours, theirs = mine.seconds, timed["0%"].seconds
            yield Row(
                part="pruned",
                work=f"{shape.layers} layers of BERT-base shape, {share:.0%} of the heads removed, batch {batch}",
                against="the original" if share else "",
                ours=ours,
                theirs=theirs if share else None,
                memory=peak(),
                note=f"{number / ours:.1f} examples/s; {parameters[share] / 1e6:.1f} million parameters",
                figures={
                    "share": share,
                    "batch": batch,
                    "examples_per_second": number / ours,
                    "low": number / mine.slowest,
                    "high": number / mine.fastest,
                    "parameters": parameters[share],
                },
            )


def _smaller(shape: Shape, share: float, number: int) -> Work:
    """A model with random heads removed, the same with every seed and, for a larger share, more of the same."""
    work = shaped("BERT-base shape", shape, number)
    layout, module = work.subject.layout, work.subject.module
    mask = layout.full()
    mask[np.random.default_rng(0).permutation(len(layout))[: int(share * len(layout))]] = False
    cut(work.subject, mask)
    subject = Classifier(
        module,
        work.subject._text.tokenizer,
        labels=work.subject.labels,
        max_length=LENGTH,
        truncate=False,
        loaded=work.name,
    )
    rows = [replace(row, source=tuple(np.resize(row.source, LENGTH).tolist()), cost=LENGTH) for row in work.rows]
    return Work(work.name, subject, rows, real=False)


def _passes(work: Work, batch: int) -> Callable[[], None]:
    """Batches through a model, until `AT_LEAST` examples have passed."""
    batches = [work.rows[start : start + batch] for start in range(0, max(batch, AT_LEAST), batch)]

    @torch.inference_mode()
    def run() -> None:
        for rows in batches:
            work.subject.logits(rows)

    return run
