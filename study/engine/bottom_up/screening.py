"""Low precision as a draft: bfloat16 decides where the margin is wide, float32 decides the rest, an audit checks it.

A prediction needs only the largest logit. The draft's differences of two logits are off by no more than some error;
where its margin is above that, float32 would decide alike. How large the error gets is measured on the subject itself:
on a sample before the first block, and on all that float32 decides afterwards. The *threshold* is that error times a
safety factor. Of what the draft decides a random share is computed in float32 all the same; an error larger than any
before raises the threshold, and the block is looked through again. So the predictions are float32's, but for what
neither sample nor audit would show; margins and losses of what the draft decided are the draft's.
"""

import logging
from collections.abc import Iterator, Sequence
from threading import Lock

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from study.engine.blocks import BlockResult, Columns
from study.engine.bottom_up.engine import BottomUpEngine
from study.engine.memory import MemoryBudget
from study.engine.pairs import Pairs
from study.engine.precision import Screening
from study.engine.weights.classifier import ClassifierWeights
from study.subjects.classifier import Classifier
from study.subjects.subject import TokenRow

log = logging.getLogger(__name__)

CALIBRATION_EXAMPLES = 8
"""Fewest examples of the sample: where masks are few there are more."""


class ScreenedEngine(BottomUpEngine):
    """A bottom-up pass with weights in bfloat16 (the draft), and an exact one in float32 for what it leaves open."""

    name = "one upward pass for all masks, bfloat16 screened by float32"

    def __init__(
        self,
        subject: Classifier,
        draft: ClassifierWeights,
        exact: BottomUpEngine,
        budget: MemoryBudget,
        screening: Screening,
    ) -> None:
        super().__init__(subject, draft, budget)
        self.name = ScreenedEngine.name
        self._exact = exact
        self.screening = screening
        self._random = np.random.default_rng(0)
        self._lock = Lock()  # blocks are computed several at a time, and learn from each other
        self.largest_error = 0.0
        self.threshold = 0.0
        self._num_sampled = self._num_exact = self._num_audited = self._num_drafted = 0

    @property
    def exact(self) -> BottomUpEngine:
        """The pass in float32."""
        return self._exact

    def run_outcomes(self, rows: Sequence[TokenRow], pairs: Pairs) -> Iterator[BlockResult]:
        """As every engine; first of all the draft is measured on a sample."""
        if self._num_sampled < self.screening.sample:
            self._calibrate(rows, pairs.masks)
        yield from super().run_outcomes(rows, pairs)
        log.info(
            f"screening: {self._num_drafted:,} decided in bfloat16, {self._num_exact:,} in float32 (margins up to "
            f"{self.threshold:.3f}, {self.screening.safety:g} x the largest error {self.largest_error:.3f}; "
            f"{self._num_audited:,} at random as an audit)"
        )

    def outcomes(self, rows: Sequence[TokenRow], pairs: Pairs) -> Columns:
        """The draft, and float32 where its margin is below the threshold; column `drafted` says which."""
        draft_PC = self.logits(rows, pairs).cpu()
        margin_P = _margins(draft_PC)
        logits_PC, exact_P = draft_PC.clone(), np.zeros(len(draft_PC), dtype=bool)
        with self._lock:
            chosen_P = self._random.random(len(draft_PC)) < self.screening.audit
            self._num_audited += int(chosen_P.sum())
        while (open_P := (chosen_P | ~(margin_P > self.threshold)) & ~exact_P).any():
            logits_PC[torch.from_numpy(open_P)] = self._exact.logits(rows, pairs.only(open_P)).cpu()
            exact_P |= open_P
            self._learn(draft_PC[torch.from_numpy(exact_P)], logits_PC[torch.from_numpy(exact_P)])
        with self._lock:
            self._num_drafted += int((~exact_P).sum())
            self._num_exact += int(exact_P.sum())
        return {**self.subject.columns(logits_PC, pairs.rows(rows)), "drafted": ~exact_P}

    def _calibrate(self, rows: Sequence[TokenRow], masks: Bool[np.ndarray, "M H"]) -> None:
        """Measure the draft's error on a few examples under some masks each."""
        at_once = min(len(masks), -(-self.screening.sample // CALIBRATION_EXAMPLES))
        for i in self._random.permutation(len(rows))[: -(-self.screening.sample // at_once)]:
            pairs = Pairs.every(masks[self._random.permutation(len(masks))[:at_once]], 1)
            self._learn(self.logits([rows[i]], pairs).cpu(), self._exact.logits([rows[i]], pairs).cpu())
            self._num_sampled += len(pairs)
        log.info("screening: margins up to %.3f are decided in float32", self.threshold)

    def _learn(self, draft: Float[Tensor, "P C"], exact: Float[Tensor, "P C"]) -> None:
        """Let the threshold rise with the largest error of a difference of two logits: no wrong margin is above it."""
        error_PC = (draft - exact).nan_to_num(torch.inf)
        largest = (error_PC.amax(1) - error_PC.amin(1)).amax().nan_to_num(torch.inf).item()
        with self._lock:
            self.largest_error = max(self.largest_error, largest)
            self.threshold = self.screening.safety * self.largest_error


def _margins(logits: Float[Tensor, "P C"]) -> Float[np.ndarray, " P"]:
    best_P2 = logits.topk(2, dim=1).values
    return (best_P2[:, 0] - best_P2[:, 1]).numpy()
