"""The engine of `precision=cascade`: a decision is taken at the first stage whose margin is above its threshold.

Some examples are computed exactly under each new mask first; the largest error of a stage there, times a safety factor,
is its threshold under that mask. Then first order decides what is clear; what it leaves open goes to bfloat16 where the
machine is faster at that, and the rest to float32. The stages come one after the other, so that what is left for a
later one is cut into blocks of its own.

A stage is left out where it does not pay, or has no threshold under a mask: what comes later is nearer to the exact.
"""

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence

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

MOST_PAIRS = 2**15
"""Pairs to which first order gives answers at a time, or those of one example."""

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

    def least_passes(self, masks: Bool[np.ndarray, "M width"], examples: int) -> float:
        """See `Engine`; a sample of each new mask is computed exactly, and tangents are taken that are not kept."""
        keys = list(map(self.subject.layout.key, masks))
        whole, new_M = self.passes(masks), ~np.isin(keys, self._known) & ~masks.all(axis=1)
        sampled = self.passes(masks[new_M]) * min(1.0, self._cascade.sample / examples) if new_M.any() else 0.0
        untaken = max(0, examples - len(self._tangents)) / examples
        return min(whole, sampled + untaken * (1 + self._decider.backward_passes))

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
        pays, new_M = self._first_order_pays(rows, work), self._to_calibrate(work)
        if new_M.any() and (pays or self._draft is not None):
            yield from self._calibrate(rows, work, new_M)
            pays = self._first_order_pays(rows, work)
        if pays:
            yield from self._to_first_order(rows, work)
        elif (new_M | self._has_threshold(Stage.first_order, work)).any():
            log.info("cascade: gradients would cost more than they save here, so first order takes no decision")
        elif work.is_masked.any():
            words = "cascade: no more decisions are left under a new mask than the %s of a sample: all are exact"
            log.info(words, f"{self._cascade.sample:,}")
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
        masked, sample = work.is_masked, self._to_calibrate(work) * self._cascade.sample
        left_M = work.open[masked].sum(axis=1) - sample[masked]
        used = np.flatnonzero(work.open[masked].any(axis=0))
        if not len(used):
            return False
        drafted_M = self._has_threshold(Stage.first_order, work) | (sample > 0)
        share_M = np.array([self._share.get(key, UNKNOWN_SHARE) for key in work.keys]) * drafted_M
        saved = (share_M[masked] @ left_M) * self._exact.passes(work.masks[masked]) / masked.sum()
        new = self._tangents.lacks([rows[i] for i in used.tolist()])
        return bool(saved > new * (1 + self._decider.backward_passes))

    def _to_calibrate(self, work: OpenDecisions) -> Bool[np.ndarray, " M"]:
        """The masks without thresholds of which more decisions are open than a sample has: the others are exact."""
        return work.is_masked & ~np.isin(work.keys, self._known) & (work.open.sum(axis=1) > self._cascade.sample)

    @property
    def _known(self) -> list[str]:
        """The masks that have thresholds."""
        return list({key for own in self._thresholds.values.values() for key in own})

    def _calibrate(
        self, rows: Sequence[TokenRow], work: OpenDecisions, new_M: Bool[np.ndarray, " M"]
    ) -> Iterator[BlockResult]:
        """Compute a sample of what is open under new masks exactly, and set their thresholds by it."""
        order, errors = np.random.default_rng(0).permutation(len(rows)), Errors()
        asked = work.under(new_M).wanted[:, order]
        wanted = np.zeros_like(asked)
        wanted[:, order] = asked & (asked.cumsum(axis=1) <= self._cascade.sample)
        for block in self._run(rows, Pairs(work.masks, wanted), self._compared):
            columns = errors.take(work.keys[block.masks].tolist(), block.columns)
            yield from work.take(Stage.float32, block.masks, block.examples, columns)
        self.learn(errors.thresholds(self._cascade.safety))
        self._share |= errors.decided(Stage.first_order, self._thresholds)
        middle = {stage: np.median([self._thresholds.at(stage, key) for key in work.keys[new_M]]) for stage in Stage}
        said = ", ".join(f"{stage.replace('_', ' ')} {middle[stage]:.3g}" for stage in self.stages[:-1])
        log.info(
            f"cascade: {new_M.sum()} {'mask' if new_M.sum() == 1 else 'masks'} calibrated on {self._cascade.sample:,} "
            f"examples, computed exactly; margins up to a threshold are left open (its median over masks: {said}); "
            f"first order could take {np.mean([self._share[key] for key in work.keys[new_M]]):.0%} of these decisions"
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
        at_once = max(1, MOST_PAIRS // len(work.masks))
        for examples in np.split(used, range(at_once, len(used), at_once)):
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
        """Blocks of pairs of which few may be wanted: more examples stand in each than if all were.

        Examples with like numbers of masks stand together, up to a power of two, so that no block has more pairs than
        one of so many masks would.
        """
        if not len(pairs):
            return iter(())
        masks_E = pairs.wanted.sum(axis=0)
        most_E = np.exp2(np.ceil(np.log2(masks_E[masks_E > 0]))).astype(np.int64)

        def cut(own: Sequence[TokenRow], masks: Bool[np.ndarray, "M width"]) -> list[Block]:
            blocks: list[Block] = []
            apart: list[int] = []  # examples of which there is no room for so many masks at once
            for most in np.unique(most_E).tolist():
                places = np.flatnonzero(most_E == most)
                alike = self._exact.blocks([own[i] for i in places.tolist()], masks[:most])
                if all(len(block.masks) == len(masks[:most]) for block in alike):
                    blocks += [Block(np.arange(len(masks)), places[block.examples]) for block in alike]
                else:
                    apart += places.tolist()
            for block in self._exact.blocks([own[i] for i in apart], masks) if apart else ():
                blocks.append(Block(block.masks, np.array(apart)[block.examples]))
            return blocks

        return run_blocks(rows, pairs, cut, compute, self._exact.workers)
