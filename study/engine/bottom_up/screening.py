"""Screened classifiers: a bottom-up pass in bfloat16 is the draft, and one in float32 decides what it leaves open."""

from collections.abc import Iterator, Sequence

import numpy as np
import torch

from study.engine.blocks import BlockResult, Columns
from study.engine.bottom_up.engine import BottomUpEngine
from study.engine.memory import MemoryBudget
from study.engine.pairs import Pairs
from study.engine.precision import Screening
from study.engine.screening import Screen, Values
from study.engine.weights.classifier import ClassifierWeights
from study.subjects.classifier import Classifier
from study.subjects.subject import TokenRow

LABEL = ""
"""What is decided: the label, and nothing besides."""


class ScreenedEngine(BottomUpEngine):
    """A bottom-up pass with weights in bfloat16 (the draft), and an exact one in float32 for what it leaves open.

    Attributes:
        screen: what is known of the draft's errors.
    """

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
        self.screen = Screen(screening)

    @property
    def exact(self) -> BottomUpEngine:
        """The pass in float32."""
        return self._exact

    def run_outcomes(self, rows: Sequence[TokenRow], pairs: Pairs) -> Iterator[BlockResult]:
        """As every engine; first of all the draft is measured on a sample."""

        def both(masks: np.ndarray, example: int) -> tuple[Values, Values]:
            own = [rows[example]], Pairs.every(pairs.masks[masks], 1)
            return self._values(self, *own), self._values(self._exact, *own)

        self.screen.calibrate(len(pairs.masks), len(rows), both)
        yield from super().run_outcomes(rows, pairs)
        self.screen.report()

    def outcomes(self, rows: Sequence[TokenRow], pairs: Pairs) -> Columns:
        """The draft, and float32 where its margin is below the threshold; column `drafted` says which."""
        draft_PC = self.logits(rows, pairs).cpu()
        logits_PC = draft_PC.clone()

        def compute(open_P: np.ndarray) -> Values:
            logits_PC[torch.from_numpy(open_P)] = self._exact.logits(rows, pairs.only(open_P)).cpu()
            return {LABEL: logits_PC[torch.from_numpy(open_P)].numpy()}

        exact_P = self.screen.decide({LABEL: draft_PC.numpy()}, compute)
        return {**self.subject.columns(logits_PC, pairs.rows(rows)), "drafted": ~exact_P}

    @staticmethod
    def _values(engine: BottomUpEngine, rows: Sequence[TokenRow], pairs: Pairs) -> Values:
        return {LABEL: engine.logits(rows, pairs).cpu().numpy()}
