"""Importance in closed form: one layer of linear attention, whose gradients can be written down.

With queries, keys and values of one number each, head h makes of the tokens x_1 ... x_T

    Att_h,t = sum_s (q_h x_t) (k_h x_s) (v_h x_s) = a_h x_t |x|^2,   a_h = q_h k_h v_h,

and the output is out_t = S x_t |x|^2 with S = sum_h xi_h o_h a_h. For L = sum_t (out_t - y)^2 / 2

    Att_h,t dL/d(xi_h Att_h,t) = (S x_t |x|^2 - y) o_h a_h x_t |x|^2,

whose sum over t is dL/dxi_h.
"""

from collections.abc import Sequence

import numpy as np
import polars as pl
import pytest
import torch
from torch import nn

from study.masking.gate import Gate
from study.masking.sites import AttentionSite
from study.record.importance import Estimator, Normalisation, importance
from study.record.loss import PLAIN, Loss
from study.record.units import AttentionKind
from study.subjects.subject import Subject, TokenRow

Q, K, V, OUT = np.array([[1.0, 2.0, -1.0], [0.5, 1.0, 1.0], [1.0, -1.0, 2.0], [0.2, 0.1, 0.3]])
TEXTS = ((1, 2), (3, -1), (-2, 1), (1, 1), (2, -3))
TARGET = 4


class LinearAttention(nn.Module):
    """Attention without softmax, three heads of size one."""

    def __init__(self) -> None:
        super().__init__()
        self.qkv = nn.Parameter(torch.tensor(np.array([Q, K, V])).float())
        self.out_proj = nn.Linear(3, 1, bias=False)
        self.out_proj.weight.data = torch.tensor(OUT).float()[None]

    def forward(self, x_RT1: torch.Tensor) -> torch.Tensor:
        query_RTH, key_RTH, value_RTH = (x_RT1 * weight_H for weight_H in self.qkv)
        scores_RHTS = torch.einsum("rth,rsh->rhts", query_RTH, key_RTH)
        return self.out_proj(torch.einsum("rhts,rsh->rth", scores_RHTS, value_RTH))


class Linear(Subject):
    """The least that gradients need."""

    encode = outcomes = probe = response = None  # type: ignore[assignment]

    def __init__(self) -> None:
        self.module = LinearAttention().requires_grad_(requires_grad=False)
        self.device = torch.device("cpu")
        self.gate = Gate([AttentionSite("out_proj", AttentionKind.ENCODER_SELF, 0, self.module.out_proj, 3)])

    def losses(self, rows: Sequence[TokenRow], loss: Loss = PLAIN) -> torch.Tensor:
        assert loss == PLAIN
        x_RT1 = torch.tensor([row.source for row in rows]).float()[..., None]
        return (self.module(x_RT1)[..., 0] - TARGET).square().sum(1) / 2


ROWS = [TokenRow(f"x{i}", text, TARGET, cost=2) for i, text in enumerate(TEXTS)]


def by_hand(text: tuple[int, ...], xi: np.ndarray) -> np.ndarray:
    """What each token says of each head."""
    x, worth = np.array(text, dtype=float), OUT * Q * K * V
    size = (x**2).sum()
    return np.outer(((xi * worth).sum() * x * size - TARGET) * x * size, worth)


def gradient_rows(subject: Subject, rows: list[TokenRow], masks: np.ndarray) -> pl.DataFrame:
    return pl.DataFrame(subject.gradients(rows, masks))


@pytest.mark.parametrize("xi", [[1, 1, 1], [1, 0, 1], [0, 0, 0]])
def test_gradients_are_those_by_hand(xi: list[int]) -> None:
    masks = np.tile(np.array(xi, dtype=bool), (len(ROWS), 1))
    found = Linear().gradients(ROWS, masks)
    for i, text in enumerate(TEXTS):
        tokens = by_hand(text, np.array(xi))
        assert found["gradient"][i] == pytest.approx(tokens.sum(0), rel=1e-5, abs=1e-4)
        assert found["token_gradient"][i] == pytest.approx(np.abs(tokens).sum(0), rel=1e-5, abs=1e-4)
        assert found["loss"][i] == pytest.approx(((by_hand_output(text, xi) - TARGET) ** 2).sum() / 2, rel=1e-5)


def by_hand_output(text: tuple[int, ...], xi: list[int]) -> np.ndarray:
    x = np.array(text, dtype=float)
    return (np.array(xi) * OUT * Q * K * V).sum() * x * (x**2).sum()


@pytest.mark.parametrize("order", [[0, 1, 2, 3, 4], [4, 2, 0, 3, 1]])
@pytest.mark.parametrize("size", [1, 2, 5])
def test_every_estimator_is_that_by_hand_whatever_the_batches(order: list[int], size: int) -> None:
    subject = Linear()
    rows = [ROWS[i] for i in order]
    batches = [rows[start : start + size] for start in range(0, 5, size)]
    table = pl.concat([gradient_rows(subject, batch, np.ones((len(batch), 3), dtype=bool)) for batch in batches])
    tokens = [by_hand(text, np.ones(3)) for text in TEXTS]
    sums = np.array([token.sum(0) for token in tokens])
    expected = {
        Estimator.paper: np.abs(sums).mean(0),
        Estimator.released_code: np.mean([np.abs(token).sum(0) for token in tokens], axis=0),
        Estimator.signed: -sums.mean(0),
        Estimator.fisher: (sums**2).mean(0),
    }
    for estimator, values in expected.items():
        found = importance(table, subject.layout, estimator, Normalisation.none)
        assert found == pytest.approx(values, rel=1e-5, abs=1e-4)
