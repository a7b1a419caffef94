"""How well the machine is used: the arithmetic really needed, at the measured peak of matrix products of those shapes.

The ideal is what the products of the plan would take one by one at the best rate that this machine reaches for each
shape, on rows that are in its cache; attention goes at the best of these rates. Nothing else costs anything there.
"""

from collections.abc import Iterator

import torch
from torch.nn import functional

from benchmarks.counted.arithmetic import shape_of, shared_work
from benchmarks.engine.classifiers import Work, shaped, small
from benchmarks.engine.sweeps import job_engine, single_heads_off, sweep
from benchmarks.measure import clocked, in_turns, repeated
from benchmarks.sizes import Sizes
from benchmarks.table import Row
from study.engine.weights.classifier import classifier_weights
from study.engine.weights.linear import Linear

PEAK_ROWS = (1024, 4096)
PEAK_TRIES = 8


def efficiency(sizes: Sizes) -> Iterator[Row]:
    """Both shapes in float32; the ratio is the share of the peak."""
    yield _row(small(sizes.small, sizes.share(4)), 0.60, sizes)
    yield _row(shaped("BERT-base shape", sizes.large, sizes.share(32)), 0.75, sizes)


def _row(work: Work, target: float, sizes: Sizes) -> Row:
    masks = single_heads_off(work.subject.layout)
    needed = shared_work(work.rows, masks, work.subject.layout, shape_of(work.subject.module.config))
    engine = job_engine(work.subject)
    sweep(engine, work.rows[:2], masks)()  # warm
    rates: list[dict[str, float]] = []
    timed = in_turns(
        {
            "ours": repeated(sweep(engine, work.rows, masks), sizes.repeats),
            "peak": repeated(lambda: rates.append(_peak_rates(work)), sizes.repeats),
        },
        sizes.repeats,
    )
    rate = {name: max(found[name] for found in rates) for name in rates[0]}
    rate["attention"] = max(rate.values())
    ideal = sum(number / rate[name] for name, number in needed.items())
    shown = ", ".join(f"{name} {value / 1e9:.0f}" for name, value in rate.items())
    return Row(
        part="efficiency",
        work=f"{work.name}: {len(masks)} masks × {len(work.rows)} examples, float32",
        against="its matrix products alone, at their peak",
        ours=timed["ours"].seconds,
        theirs=ideal,
        target=target,
        note=f"{needed.total() / 1e9:,.0f} G multiply-adds; peak in G multiply-adds/s: {shown}",
    )


def _peak_rates(work: Work) -> dict[str, float]:
    """Multiply-adds a second of each product of a layer: the best of torch's and the engine's, of a few tries."""
    layer = classifier_weights(work.subject.module, work.subject.gate).layers[0]
    return {name: _peak_rate(getattr(layer, name)) for name in ("qkv", "out", "up", "down")}


@torch.inference_mode()
def _peak_rate(linear: Linear) -> float:
    weight, bias = linear.weight, linear.bias
    best = 0.0
    for rows in PEAK_ROWS:
        x = torch.randn(rows, weight.shape[1])
        packed = Linear(weight, bias)  # without an activation
        for product in (packed, lambda x: functional.linear(x, weight, bias)):
            product(x)  # warm
            seconds = min(clocked(lambda product=product, x=x: product(x))() for _ in range(PEAK_TRIES))
            best = max(best, rows * weight.numel() / seconds)
    return best
