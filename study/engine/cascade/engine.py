"""The engine of `precision=cascade`: a decision is taken at the first stage whose margin is above its threshold.

Some examples are computed exactly under each new mask first; the largest error of a stage there, times a safety factor,
is its threshold under that mask. Then first order decides what is clear; what it leaves open goes to bfloat16 where the
machine is faster at that, and the rest to float32. The stages come one after the other, so that what is left for a
later one is cut into blocks of its own.

A stage is left out where it does not pay, or has no threshold under a mask: what comes later is nearer to the exact.
"""

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from math import ceil

import numpy as np
from jaxtyping import Bool

from study.engine.blocks import BlockResult, Columns
from study.engine.cascade.answers import Answers, Decider, with_margins
from study.engine.cascade.calibration import Errors, beside
from study.engine.cascade.open_decisions import OpenDecisions, chosen
from study.engine.cascade.tangent import KeptTangents
from study.engine.engine import Engine, run_blocks
from study.engine.pairs import Block, Pairs
from study.engine.precision import Cascade
from study.record.cascade import Stage, Thresholds
from study.record.cascade.stage import STAGE
from study.record.loss import Loss
from study.record.tables import Table
from study.subjects.subject import TokenRow

log = logging.getLogger(__name__)

TOGETHER = 256
"""Examples to which first order gives answers at a time."""

UNKNOWN_SHARE = 0.8
"""Share of a mask's decisions that first order is taken to take where no sample of this process has shown it."""

CLEAR = "clear"
"""Column of a draft's block: which of its decisions it takes."""


class CascadeEngine(Engine):
    """First order, bfloat16 and float32, one after the other.

    Attributes:
        stages: those that this machine uses.
    """

    has_stages = True

    def __init__(self, decider: Decider, exact: Engine, draft: Engine | None, cascade: Cascade) -> None:
        """Put the stages together.

        Args:
            decider: what is decided, and its tangents.
            exact: the engine in float32.
            draft: the engine of the same model in bfloat16; None where there is none, or nothing is gained by it.
            cascade: how careful to be.
        """
        super().__init__(exact.subject)
        self._decider, self._exact, self._draft, self._cascade = decider, exact, draft, cascade
        self._tangents = KeptTangents(decider.tangents)
        self._thresholds = Thresholds()
        self._share: dict[str, float] = {}
        self.stages = tuple(stage for stage in Stage if stage is not Stage.bfloat16 or draft is not None)
        before = "first order leaves" if draft is None else "first order and bfloat16 leave"
        self.name = f"{exact.name}, for what {before} open"

    @property
    def exact(self) -> Engine:
        """The engine in float32."""
        return self._exact

    @property
    def thresholds(self) -> Thresholds:
        """See `Engine`."""
        return self._thresholds

    def learn(self, thresholds: Thresholds) -> None:
        """See `Engine`; masks that have thresholds are calibrated."""
        self._thresholds = self._thresholds.join(thresholds)

    def forget(self) -> None:
        """Forget all tangents; they are taken again when they are needed."""
        self._tangents.forget()

    def blocks(self, rows: Sequence[TokenRow], masks: Bool[np.ndarray, "M width"]) -> list[Block]:
        """Those of the engine in float32."""
        return self._exact.blocks(rows, masks)

    def outcomes(self, rows: Sequence[TokenRow], pairs: Pairs) -> Columns:
        """Exact ones."""
        columns = self._exact.outcomes(rows, pairs)
        return {**columns, STAGE: np.full(len(pairs), str(Stage.float32))}

    def passes(self, masks: Bool[np.ndarray, "M width"]) -> float:
        """Those of float32: what other stages take of it is not known beforehand."""
        return self._exact.passes(masks)

    def gradients(self, rows: Sequence[TokenRow], masks: Bool[np.ndarray, "rows width"], loss: Loss) -> Columns:
        """Gradients are float32's."""
        return self._exact.gradients(rows, masks, loss)

    def run_exactly(
        self, rows: Sequence[TokenRow], pairs: Pairs, tables: Sequence[Table]
    ) -> Iterator[Mapping[Table, BlockResult]]:
        """Outcomes by float32 alone."""
        return ({tables[0]: block} for block in self._run(rows, pairs, self.outcomes))

    def run_outcomes(self, rows: Sequence[TokenRow], pairs: Pairs) -> Iterator[BlockResult]:
        """As every engine; new masks are calibrated first, where a draft may pay."""
        work = OpenDecisions(pairs, list(map(self.subject.layout.key, pairs.masks)))
        if self._first_order_pays(rows, work) or (self._draft is not None and work.is_masked.any()):
            yield from self._calibrate(rows, work)
        if self._first_order_pays(rows, work):
            yield from self._to_first_order(rows, work)
        elif work.is_masked.any():
            log.info("cascade: gradients would cost more than they save here, so first order takes no decision")
        if self._draft is not None:
            yield from self._in_bfloat16(self._draft, rows, work)
        for block in self._run(rows, Pairs(work.masks, work.open.copy()), self._exact.outcomes):
            yield from work.take(Stage.float32, block.masks, block.examples, block.columns)
        taken = ", ".join(f"{work.taken[stage]:,} by {stage.replace('_', ' ')}" for stage in self.stages)
        if work.is_masked.any():
            log.info("cascade: %s decisions taken: %s", f"{work.taken.total():,}", taken)

    def raise_thresholds(self, rows: Sequence[TokenRow], pairs: Pairs, least: Thresholds) -> None:
        """See `Engine`."""
        errors, keys = Errors(), np.array(list(map(self.subject.layout.key, pairs.masks)))
        for block in self._run(rows, pairs, self._compared):
            errors.take(keys[block.masks].tolist(), block.columns)
        self.learn(errors.thresholds(self._cascade.safety).join(least))

    def _first_order_pays(self, rows: Sequence[TokenRow], work: OpenDecisions) -> bool:
        """Whether the tangents that are not taken yet cost less than what they would decide."""
        masked = work.is_masked
        left = work.open & masked[:, None]
        used = np.flatnonzero(left.any(axis=0))
        if not len(used):
            return False
        share_M = np.array([self._share.get(key, UNKNOWN_SHARE) for key in work.keys])
        saved = (share_M @ left) * self._exact.passes(work.masks[masked]) / masked.sum()
        new = self._tangents.lacks([rows[i] for i in used.tolist()])
        return bool(saved.sum() > new * (1 + self._decider.backward_passes))

    def _calibrate(self, rows: Sequence[TokenRow], work: OpenDecisions) -> Iterator[BlockResult]:
        """Compute the sample exactly under the masks that have no thresholds, and set these."""
        known = {key for own in self._thresholds.values.values() for key in own}
        new_M = work.is_masked & ~np.isin(work.keys, list(known))
        if not new_M.any():
            return
        sample = np.random.default_rng(0).permutation(len(rows))[: self._cascade.sample]
        wanted, errors = np.zeros_like(work.open), Errors()
        wanted[np.ix_(np.flatnonzero(new_M), sample)] = True
        for block in self._run(rows, Pairs(work.masks, wanted), self._compared):
            columns = errors.take(work.keys[block.masks].tolist(), block.columns)
            yield from work.take(Stage.float32, block.masks, block.examples, columns)
        self.learn(errors.thresholds(self._cascade.safety))
        self._share |= errors.decided(Stage.first_order, self._thresholds)
        middle = {stage: np.median([self._thresholds.at(stage, key) for key in work.keys[new_M]]) for stage in Stage}
        said = ", ".join(f"{stage.replace('_', ' ')} {middle[stage]:.3g}" for stage in self.stages[:-1])
        log.info(
            f"cascade: {new_M.sum()} {'mask' if new_M.sum() == 1 else 'masks'} calibrated on {len(sample):,} examples, "
            f"computed exactly; margins up to a threshold are left open (its median over masks: {said}); first "
            f"order could take {np.mean([self._share[key] for key in work.keys[new_M]]):.0%} of these decisions"
        )

    def _compared(self, rows: Sequence[TokenRow], pairs: Pairs) -> Columns:
        """Exact outcomes; beside them what drafts are off by."""
        drafts = {Stage.first_order: self._decider.drafted(self._tangents.of(rows), rows, pairs)}
        if self._draft is not None:
            drafts[Stage.bfloat16] = self._decider.answers(self._draft, rows, pairs)
        return beside(self._decider.answers(self._exact, rows, pairs), drafts)

    def _to_first_order(self, rows: Sequence[TokenRow], work: OpenDecisions) -> Iterator[BlockResult]:
        """What is clear to first order; and the full mask by the way, where tangents tell all of its outcomes."""
        drafted_M = self._has_threshold(Stage.first_order, work)
        exact_M = ~work.is_masked if self._decider.knows_full else np.zeros_like(drafted_M)
        asked = work.under(drafted_M | exact_M).wanted
        lengths = np.array([len(row.source) for row in rows])
        used = np.flatnonzero(asked.any(axis=0))
        used = used[np.argsort(lengths[used], kind="stable")]
        for examples in np.split(used, range(TOGETHER, len(used), TOGETHER)):
            own, some = [rows[i] for i in examples.tolist()], Pairs(work.masks, asked[:, examples])
            answers = with_margins(self._decider.drafted(self._tangents.of(own), own, some))
            exact_P = exact_M[some.mask]
            clear_P = self._is_clear(answers, Stage.first_order, some)
            for stage, taken in ((Stage.float32, exact_P), (Stage.first_order, clear_P & ~exact_P)):
                columns = chosen(answers.columns, taken)
                yield from work.take(stage, some.mask[taken], examples[some.example[taken]], columns)

    def _in_bfloat16(self, draft: Engine, rows: Sequence[TokenRow], work: OpenDecisions) -> Iterator[BlockResult]:
        """What is clear in bfloat16."""

        def compute(own: Sequence[TokenRow], some: Pairs) -> Columns:
            answers = with_margins(self._decider.answers(draft, own, some))
            return {**answers.columns, CLEAR: self._is_clear(answers, Stage.bfloat16, some)}

        for block in self._run(rows, work.under(self._has_threshold(Stage.bfloat16, work)), compute):
            columns = dict(block.columns)
            clear = columns.pop(CLEAR)
            yield from work.take(Stage.bfloat16, block.masks[clear], block.examples[clear], chosen(columns, clear))

    def _has_threshold(self, stage: Stage, work: OpenDecisions) -> Bool[np.ndarray, " M"]:
        return work.is_masked & np.isin(work.keys, list(self._thresholds.values.get(stage, {})))

    def _is_clear(self, answers: Answers, stage: Stage, pairs: Pairs) -> Bool[np.ndarray, " P"]:
        """Whether margins, as they are stored, are above the thresholds of their masks."""
        threshold_M = np.array([self._thresholds.at(stage, self.subject.layout.key(mask)) for mask in pairs.masks])
        return np.asarray(answers.columns["margin"], dtype=np.float64) > threshold_M[pairs.mask]

    def _run(
        self, rows: Sequence[TokenRow], pairs: Pairs, compute: Callable[[Sequence[TokenRow], Pairs], Columns]
    ) -> Iterator[BlockResult]:
        """Blocks of pairs of which few may be wanted: more examples stand in each than if all were."""
        if not len(pairs):
            return iter(())
        asked = pairs.wanted[pairs.wanted.any(axis=1)]
        asked = asked[:, asked.any(axis=0)]
        at_once = max(1, ceil(asked.sum(axis=0).mean()))

        def cut(own: Sequence[TokenRow], masks: Bool[np.ndarray, "M width"]) -> list[Block]:
            blocks = self._exact.blocks(own, masks[:at_once])
            if any(len(block.masks) < at_once for block in blocks):
                return self._exact.blocks(own, masks)
            return [Block(np.arange(len(masks)), block.examples) for block in blocks]

        return run_blocks(rows, pairs, cut, compute, self._exact.workers)
