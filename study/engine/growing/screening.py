"""Screened choices: the model with its products in bfloat16 is the draft, and float32 decides what it leaves open.

Which choice is the likeliest depends on what the sums of log-likelihoods are divided by, and outcomes are stored for
every metric alike. So an example is left to the draft only where all metrics that choose are decided.
"""

from collections.abc import Iterator, Sequence
from copy import deepcopy

import numpy as np
import polars as pl
import torch
from jaxtyping import Bool
from torch import Tensor, nn
from transformers import PreTrainedModel
from transformers.pytorch_utils import Conv1D

from study.engine.blocks import BlockResult, Columns
from study.engine.engine import Engine
from study.engine.growing.language_model import GrowingLanguageModel
from study.engine.pairs import Block, Pairs
from study.engine.precision import Screening
from study.engine.screening import Screen, Values
from study.record.loss import Loss
from study.record.metrics import CHOOSING
from study.subjects.language_model.passes import language_rows
from study.subjects.language_model.subject import LanguageModel
from study.subjects.subject import TokenRow


class ScreenedLanguageModel(Engine):
    """Rows that grow through the layers in bfloat16, and through those in float32 for what the draft leaves open.

    Attributes:
        screen: what is known of the draft's errors.
    """

    def __init__(self, draft: GrowingLanguageModel, exact: GrowingLanguageModel, screening: Screening) -> None:
        """Put two engines together.

        Args:
            draft: the engine of the same model in bfloat16.
            exact: the engine in float32.
            screening: how careful to be.
        """
        super().__init__(exact.subject)
        self.name = f"{exact.name}, bfloat16 screened by float32"
        self._draft, self._exact = draft, exact
        self.screen = Screen(screening)

    @property
    def exact(self) -> GrowingLanguageModel:
        """The engine in float32."""
        return self._exact

    def blocks(self, rows: Sequence[TokenRow], masks: Bool[np.ndarray, "M width"]) -> list[Block]:
        """Those of the engine in float32: it may have to compute all of a block."""
        return self._exact.blocks(rows, masks)

    def passes(self, masks: Bool[np.ndarray, "M width"]) -> float:
        """Those of the draft; what float32 computes besides is not known beforehand."""
        return self._exact.passes(masks)

    def run_outcomes(self, rows: Sequence[TokenRow], pairs: Pairs) -> Iterator[BlockResult]:
        """As every engine; first of all the draft is measured on a sample."""

        def both(masks: np.ndarray, example: int) -> tuple[Values, Values]:
            own = [rows[example]], Pairs.every(pairs.masks[masks], 1)
            draft, exact = (_values(pl.DataFrame(one.outcomes(*own)), *own) for one in (self._draft, self._exact))
            return draft, exact

        self.screen.calibrate(len(pairs.masks), len(rows), both)
        yield from super().run_outcomes(rows, pairs)
        self.screen.report()

    def outcomes(self, rows: Sequence[TokenRow], pairs: Pairs) -> Columns:
        """The draft, and float32 where a margin is below its threshold; column `drafted` says which."""
        draft = pl.DataFrame(self._draft.outcomes(rows, pairs))
        parts, places = [], []

        def compute(open_P: np.ndarray) -> Values:
            some = pairs.only(open_P)
            parts.append(pl.DataFrame(self._exact.outcomes(rows, some)))
            places.append(np.flatnonzero(open_P))
            return _values(parts[-1], rows, some)

        exact_P = self.screen.decide(_values(draft, rows, pairs), compute)
        order = np.argsort(np.concatenate([np.flatnonzero(~exact_P), *places]))
        found = pl.concat([draft.filter(~exact_P), *parts])[order]
        return {**{name: found[name] for name in found.columns}, "drafted": ~exact_P}

    def gradients(self, rows: Sequence[TokenRow], masks: Bool[np.ndarray, "rows width"], loss: Loss) -> Columns:
        """Gradients are float32's."""
        return self._exact.gradients(rows, masks, loss)


def draft_model(subject: LanguageModel) -> LanguageModel:
    """A copy with its matrix products in bfloat16, on the same devices; hidden states remain in float32.

    With hidden states in bfloat16 as well, a few masks are off by nats (3.3 of SmolLM2's BLiMP, .7 otherwise).
    """
    module: PreTrainedModel = deepcopy(
        subject.module
    )  # hooks of the gate come along, and do nothing while it is not set
    for part in module.modules():
        if isinstance(part, nn.Linear | Conv1D):
            part.weight = nn.Parameter(part.weight.detach().to(torch.bfloat16), requires_grad=False)
            if part.bias is not None:
                part.bias = nn.Parameter(part.bias.detach().to(torch.bfloat16), requires_grad=False)
            part.register_forward_pre_hook(_lowered)
            part.register_forward_hook(_raised)
    draft = LanguageModel(module, subject.text, loaded=f"{subject.loaded}, in bfloat16")
    draft.gate.stand_in, draft.acts_on_scored = subject.gate.stand_in, subject.acts_on_scored
    if not subject.gate.mlps:
        draft.gate.forget_mlps()
    return draft


def _lowered(_: nn.Module, inputs: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    return inputs[0].to(torch.bfloat16), *inputs[1:]


def _raised(_: nn.Module, __: tuple[Tensor, ...], output: Tensor) -> Tensor:
    return output.float()


def _values(outcomes: pl.DataFrame, rows: Sequence[TokenRow], pairs: Pairs) -> Values:
    """What choices are compared by, for each metric that can be told from these outcomes."""
    lengths = pl.DataFrame([dict(row.lengths) for row in language_rows(pairs.rows(rows))], infer_schema_length=None)
    known = outcomes.hstack(lengths.select(name for name in lengths.columns if name not in outcomes.columns))
    needed = {metric: {*metric.reads, *metric.example_columns} - {"target"} for metric in CHOOSING}
    return {metric.name: metric.values(known) for metric in CHOOSING if needed[metric] <= set(known.columns)}
