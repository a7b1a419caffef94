"""Attention: all statistics of every head in one pass, against a plain pass and against maps that are kept."""

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from benchmarks.engine.classifiers import Work, small
from benchmarks.measure import Measurement, Way, clocked, in_turns
from benchmarks.sizes import Sizes
from benchmarks.table import Row
from study.engine.blocks import in_batches
from study.engine.engine import Engine
from study.observing.observe import observe
from study.observing.patterns import eager_attention
from study.record.tables import Attention
from study.subjects.subject import TokenRow


def attention(sizes: Sizes) -> Iterator[Row]:
    """Statistics of attention: at most twice the seconds of a plain eager forward pass of the same batches."""
    work = small(sizes.small, sizes.examples)
    batches = [[work.rows[i] for i in batch.tolist()] for batch in _batches(work)]
    ways = {
        name: Way([clocked(lambda way=way: [way(work, batch) for batch in batches])] * sizes.repeats)
        for name, way in {"ours": _ours, "plain": _plain, "kept": _kept}.items()
    }
    in_turns({name: Way(way.samples[:1]) for name, way in ways.items()}, 1)  # warm
    timed = in_turns(ways, sizes.repeats)
    yield _row(work, timed, "plain", "forward pass of the same batches, eager, that tells nothing", target=0.5)
    yield _row(work, timed, "kept", "output_attentions: all maps kept, five means of each head behind the pass", None)


def _batches(work: Work) -> list[np.ndarray]:
    """Examples of one length together, which none of the ways has to pad."""
    return in_batches([len(row.source) for row in work.rows], Engine.gradient_tokens, padded=False)


def _row(work: Work, timed: dict[str, Measurement], other: str, against: str, target: float | None) -> Row:
    return Row(
        part="attention",
        work=f"{work.name}: what {len(work.subject.layout)} heads look at × {len(work.rows)} examples",
        against=against,
        ours=timed["ours"].seconds,
        theirs=timed[other].seconds,
        target=target,
        memory=timed["ours"].memory,
        note=f"the other took {timed[other].memory / 1e9:.2g} GB",
    )


def _ours(work: Work, batch: list[TokenRow]) -> None:
    observe(work.subject, batch, np.ones((len(batch), work.subject.layout.width), dtype=bool), [Attention()])


def _plain(work: Work, batch: list[TokenRow]) -> None:
    with torch.inference_mode(), eager_attention(work.subject.module):
        work.subject.logits(batch)


def _kept(work: Work, batch: list[TokenRow]) -> list[Tensor]:
    """As tools do that draw maps: they are returned together, and reduced then."""
    ids, segments = work.subject.inputs(batch)
    inputs = {} if segments is None else {"token_type_ids": segments}
    with torch.inference_mode(), eager_attention(work.subject.module):
        maps = work.subject.module(input_ids=ids, output_attentions=True, **inputs).attentions
        return [statistic for layer in maps for statistic in _means(layer)]


def _means(weights: Tensor) -> list[Tensor]:
    """Largest weight, entropy, and weight on the token before, itself and the one after."""
    diagonals = [weights.diagonal(offset, -2, -1).mean(-1) for offset in (-1, 0, 1)]
    return [weights.amax(-1).mean(-1), torch.special.entr(weights).sum(-1).mean(-1), *diagonals]
