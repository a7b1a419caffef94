"""Our way: the engine that a job would get, run to its last outcome; and the masks that sweeps are made of."""

from collections.abc import Callable, Sequence

import numpy as np
from jaxtyping import Bool, Int

from study.engine.choose import choose_engine
from study.engine.engine import Engine
from study.engine.pairs import Pairs
from study.engine.precision import Cascade, Precision, Screening
from study.record.units import HeadLayout, stack
from study.subjects.subject import Subject, TokenRow


def job_engine(subject: Subject, precision: Precision = Precision.float32, cascade: Cascade | None = None) -> Engine:
    """The engine that a job would get."""
    return choose_engine(subject, precision, Screening(), cascade=cascade)


def single_heads_off(layout: HeadLayout) -> Bool[np.ndarray, "masks heads"]:
    """The full mask, then each head off."""
    return stack([layout.full(), *layout.each_off()], layout)


def oracle_step(layout: HeadLayout, already_off: int) -> Bool[np.ndarray, "masks heads"]:
    """Some random heads off, and one more each of the rest."""
    order = np.random.default_rng(0).permutation(len(layout))
    off = [layout.heads[i] for i in order[:already_off]]
    return stack([layout.without([*off, layout.heads[i]]) for i in sorted(order[already_off:])], layout)


def random_curves(layout: HeadLayout, orders: int, steps: int = 10) -> Bool[np.ndarray, "masks heads"]:
    """Pruning curves of random orders, a tenth of the heads a step; each mask once."""
    generator = np.random.default_rng(0)
    masks = []
    for _ in range(orders):
        order = [layout.heads[i] for i in generator.permutation(len(layout))]
        masks += [layout.without(order[: round(k * len(order) / steps)]) for k in range(steps + 1)]
    return np.unique(stack(masks, layout), axis=0)


def sweep(engine: Engine, rows: Sequence[TokenRow], masks: Bool[np.ndarray, "masks heads"]) -> Callable[[], object]:
    """All masks on all examples, as something to be timed."""
    return lambda: list(engine.run(rows, Pairs.every(masks, len(rows))))


def predictions(
    engine: Engine, rows: Sequence[TokenRow], masks: Bool[np.ndarray, "masks heads"]
) -> Int[np.ndarray, "masks examples"]:
    """What a classifier decides."""
    found = np.zeros((len(masks), len(rows)), dtype=np.int64)
    for block in engine.run(rows, Pairs.every(masks, len(rows))):
        found[block.masks, block.examples] = block.columns["prediction"]
    return found
