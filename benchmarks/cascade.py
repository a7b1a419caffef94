"""All single heads off by `precision=cascade`: part `cascade`, at the size of a whole data set.

Calibration and audit cost the same however many examples there are; they and what goes with the number of examples are
measured apart, on few examples, and added up for all of MNLI matched. Processor seconds, of all ways.
"""

from collections.abc import Iterator, Sequence
from functools import partial

import numpy as np
from jaxtyping import Bool

from benchmarks.engine.classifiers import LONGEST, Work, shaped, small
from benchmarks.engine.loops import BATCHES, PUBLIC_BATCH, Loop, best_loop, spread
from benchmarks.engine.sweeps import job_engine, single_heads_off, sweep
from benchmarks.measure import Way, clocked, in_turns, processor_seconds
from benchmarks.sizes import Sizes
from benchmarks.table import Row
from study.engine.cascade.answers import Answers
from study.engine.cascade.engine import CascadeEngine
from study.engine.cascade.open_decisions import OpenDecisions
from study.engine.pairs import Pairs
from study.engine.precision import Cascade, Precision
from study.record.cascade import Stage
from study.record.cascade.limits import round_alpha, sample_size
from study.record.tables import OUTCOMES
from study.subjects.subject import TokenRow

WHOLE = 9815
"""Examples of MNLI matched."""

OPEN = (0.12, 0.33, 0.23, 0.18, 0.06, 0.04)
"""Share of MiniLM's decisions on MNLI that first order leaves open, by layer, lowest first."""

OPEN_IN_BFLOAT16 = 0.1
"""Share of these that bfloat16 leaves open."""

WAYS = {
    "(a) loop, padded to 128, batch 32": (30, 25),
    "(b) loop, sorted": (10, 10),
    "one upward pass, float32": (None,) * 2,
}
"""What it is compared with, and how many times faster it should be: MiniLM, BERT-base's shape."""


OURS = "ours"


class _AsMiniLM(CascadeEngine):
    """A cascade that leaves as much open as MiniLM does, layer by layer, whatever its weights say."""

    def _is_clear(self, answers: Answers, stage: Stage, pairs: Pairs) -> Bool[np.ndarray, " P"]:
        layers = len(self.subject.layout.layers)
        heads = np.concatenate(
            [np.full(len(self.subject.layout.members(own)), i) for i, own in enumerate(self.subject.layout.layers)]
        )
        place_M = np.array([heads[~mask].min(initial=layers - 1) for mask in pairs.masks]) / max(layers - 1, 1)
        open_M = np.interp(place_M, np.linspace(0, 1, len(OPEN)), OPEN)
        share_P = open_M[pairs.mask] if stage is Stage.first_order else OPEN_IN_BFLOAT16
        return np.random.default_rng(len(answers.columns["margin"])).random(len(pairs)) > share_P


def cascade(sizes: Sizes) -> Iterator[Row]:
    """A small classifier, trained where one is at hand; the shape of BERT-base, as if it left open what MiniLM does."""
    yield from _rows(small(sizes.small, sizes.examples), 0, sizes)
    yield from _rows(shaped("BERT-base shape", sizes.large, sizes.share(8)), 1, sizes.less_often())


def _rows(work: Work, column: int, sizes: Sizes) -> Iterator[Row]:
    masks, careful = single_heads_off(work.subject.layout), Cascade()
    sample = min(careful.sample, len(work.rows) // 4)
    engine = _engine(work, Cascade(sample=sample))
    rest, known = work.rows[sample:], work.rows[:sample]
    calibration = clocked(partial(_calibrate, engine, known, masks), processor_seconds)() * careful.sample / sample
    timed = in_turns(_ways(work, engine, rest, masks, sizes), sizes.repeats)
    drafts = (len(masks) - 1) * WHOLE
    audited = sample_size(drafts, careful.bound, round_alpha(careful.confidence, 1))
    chosen = np.random.default_rng(0).random((len(masks), len(rest))) < audited / drafts
    audit = clocked(lambda: list(engine.run_exactly(rest, Pairs(masks, chosen), (OUTCOMES,))), processor_seconds)()
    scale = WHOLE / len(rest)
    ours = calibration + scale * (timed[OURS].seconds + audit)
    for against, targets in WAYS.items():
        yield Row(
            part="cascade",
            work=f"{work.name}: {len(masks)} masks × {WHOLE:,} examples, {', '.join(engine.stages)}",
            against=against,
            ours=ours,
            theirs=scale * timed[against].seconds,
            target=targets[column],
            memory=timed[OURS].memory,
            note=(
                f"from {len(rest)} examples, calibration from {sample}: {calibration:.0f} s of calibration, "
                f"{scale * audit:.0f} s of audit ({audited:,} decisions); loops timed on {sizes.slow_masks} masks"
                f"{'' if work.real else '; as much left open as by MiniLM'}"
            ),
            figures={"calibration": calibration, "stages": scale * timed[OURS].seconds, "audit": scale * audit},
        )


def _calibrate(engine: CascadeEngine, rows: Sequence[TokenRow], masks: Bool[np.ndarray, "masks heads"]) -> None:
    """Set the thresholds of all masks by these examples, and nothing else."""
    work = OpenDecisions(Pairs.every(masks, len(rows)), list(map(engine.subject.layout.key, masks)))
    for _ in engine._calibrate(rows, work, work.is_masked):
        pass


def _engine(work: Work, careful: Cascade) -> CascadeEngine:
    """The engine that a job would get; of random weights one that leaves open what MiniLM does."""
    engine = job_engine(work.subject, Precision.cascade, careful)
    assert isinstance(engine, CascadeEngine)
    if not work.real:
        engine.__class__ = _AsMiniLM
    return engine


def _ways(
    work: Work, engine: CascadeEngine, rows: Sequence[TokenRow], masks: Bool[np.ndarray, "masks heads"], sizes: Sizes
) -> dict[str, Way]:
    """Each does all masks on some examples; tangents are taken anew each time."""

    def anew() -> object:
        engine.forget()
        return sweep(engine, rows, masks)()

    public, best = Loop(work.subject, rows, PUBLIC_BATCH, pad_to=LONGEST), best_loop(work.subject, rows, BATCHES)
    some = spread(masks, sizes.slow_masks)
    names = list(WAYS)
    loops = {
        name: Way([clocked(partial(loop.predictions, mask), processor_seconds) for mask in some], len(masks))
        for name, loop in zip(names[:2], (public, best), strict=True)
    }
    whole = Way([clocked(sweep(engine.exact, rows, masks), processor_seconds)] * sizes.repeats)
    return {OURS: Way([clocked(anew, processor_seconds)] * sizes.repeats), **loops, names[2]: whole}
