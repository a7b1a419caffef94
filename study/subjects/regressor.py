"""Sequence models of transformers with one output, a number (the similarity of two sentences), as subjects.

Shapes: R rows.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from study.record.errors import InputError
from study.record.loss import PLAIN, Loss
from study.record.metrics.numbers import LARGEST, OUTPUT, PER_UNIT, on_grid
from study.subjects.classifier import Classifier
from study.subjects.subject import TokenRow


class Regressor(Classifier):
    """A transformers sequence model with one output.

    Outcome columns: `output` (the number, in units of 2^-20), `margin` (a constant: there is no other decision nearby),
    `loss` (squared error).
    """

    outputs = "a regression needs one"

    def has_fit_outputs(self, number: int) -> bool:
        """Whether there is one output."""
        return number == 1

    def columns(self, logits: Float[Tensor, "rows 1"], rows: Sequence[TokenRow]) -> dict[str, Any]:
        """Outcome columns of rows with these outputs.

        Raises:
            InputError: when an output is no number, or far too large.
        """
        output_R, gold_R = logits[:, 0].cpu().double().numpy(), np.array([row.target for row in rows]) / PER_UNIT
        return {
            OUTPUT: on_grid(output_R),
            "margin": np.full(len(rows), LARGEST, dtype=np.float32),
            "loss": np.square(output_R - gold_R).astype(np.float32),
        }

    def losses(self, rows: Sequence[TokenRow], loss: Loss = PLAIN) -> Float[Tensor, " rows"]:
        """Squared error of each row.

        Raises:
            InputError: for a loss with smoothed labels.
        """
        if loss != PLAIN:
            raise InputError(f"loss {loss} smooths labels, and {self.loaded} has none: its loss is the squared error")
        gold_R = torch.tensor([row.target for row in rows], device=self.device) / PER_UNIT
        return (self.logits(rows)[:, 0] - gold_R).square()
