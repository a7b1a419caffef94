"""How seconds and memory grow with masks, examples and layers: each doubled a few times, and the fitted exponent."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
from jaxtyping import Bool

from benchmarks.engine.classifiers import Work, shaped, small
from benchmarks.engine.loops import spread
from benchmarks.engine.sweeps import job_engine, single_heads_off, sweep
from benchmarks.measure import Measurement, in_turns, repeated
from benchmarks.sizes import Shape, Sizes
from benchmarks.table import Row
from study.subjects.subject import TokenRow

MASKS = (1, 9, 18, 36, 73)
FEW_MASKS = 9
LAYERS = (2, 4, 8)
DEEP = Shape(layers=2, heads=4, width=256, inner=1024)


def growth(sizes: Sizes) -> Iterator[Row]:
    """One thing at a time; the rest stays as it is."""
    sizes = sizes.less_often()
    work = small(sizes.small, sizes.examples)
    masks, few_rows = single_heads_off(work.subject.layout), work.rows[: sizes.share(4)]
    numbers = [number for number in MASKS if number <= len(masks)]
    by_masks = {n: (work, few_rows, spread(masks, n)) for n in numbers}
    yield from _rows(f"masks; {len(few_rows)} examples of {work.name}", by_masks, sizes)
    shares = sorted({sizes.share(divisor) for divisor in (8, 4, 2, 1)})
    few_masks = spread(masks, FEW_MASKS)
    by_examples = {n: (work, work.rows[:n], few_masks) for n in shares}
    yield from _rows(f"examples; {len(few_masks)} masks of {work.name}", by_examples, sizes)
    by_layers = {}
    for layers in LAYERS:
        deep = shaped(f"{layers} layers", replace(DEEP, layers=layers), sizes.share(4))
        by_layers[layers] = deep, deep.rows, single_heads_off(deep.subject.layout)
    yield from _rows(
        f"layers; d {DEEP.width}, {DEEP.heads} heads, all single heads off, {sizes.share(4)} examples", by_layers, sizes
    )


Point = tuple[Work, Sequence[TokenRow], Bool[np.ndarray, "masks heads"]]


def _rows(what: str, points: dict[int, Point], sizes: Sizes) -> Iterator[Row]:
    ways = {}
    for number, (work, rows, masks) in points.items():
        engine = job_engine(work.subject)
        sweep(engine, rows[:2], masks)()  # warm
        ways[str(number)] = repeated(sweep(engine, rows, masks), sizes.repeats)
    timed = in_turns(ways, sizes.repeats)
    exponents = f"grows with exponent {_exponent(timed, 'seconds'):.2f}, memory {_exponent(timed, 'memory'):.2f}"
    for name, found in timed.items():
        last = name == list(timed)[-1]
        yield Row(
            part="growth",
            work=f"{name} {what}",
            ours=found.seconds,
            memory=found.memory,
            note=exponents if last else "",
        )


def _exponent(timed: dict[str, Measurement], what: str) -> float:
    """Exponent of the power of the number that fits best."""
    numbers = [int(name) for name in timed]
    values = [max(getattr(found, what), 1e-9) for found in timed.values()]
    return float(np.polyfit(np.log(numbers), np.log(values), 1)[0])
