"""Importance of heads, groups, layers and MLPs of a language model, against finite differences of its loss."""

from collections.abc import Callable

import numpy as np
import polars as pl
import pytest
import torch
from fixtures.language_models import choices, language_model, texts

from study.record.examples import Examples
from study.record.importance import Estimator, Normalisation, importance
from study.record.units import UnitLevel

STEP = 1e-2
"""A difference of losses has few digits left in float32 where the step is much smaller."""


@pytest.mark.parametrize("examples", [choices, texts])
def test_importance_is_the_slope_of_the_loss_along_one_xi_of_a_unit(examples: Callable[[], Examples]) -> None:
    subject = language_model("llama")
    layout, rows = subject.layout, subject.encode(examples())
    masks = np.tile(layout.full(), (len(rows), 1))
    table = pl.DataFrame(subject.gradients(rows, masks))

    def losses(unit, xi: float) -> np.ndarray:
        factors = torch.ones(len(rows), layout.width)
        factors[:, layout.span(unit)] = xi
        with torch.no_grad(), subject.gate.masked(factors):
            return subject.losses(rows).numpy()

    def slope(unit) -> np.ndarray:
        """By four points, so that the third derivative makes no error."""
        near, far = (losses(unit, 1 + step) - losses(unit, 1 - step) for step in (STEP, 2 * STEP))
        return (8 * near - far) / (12 * STEP)

    sizes = {Estimator.paper: np.abs, Estimator.signed: np.negative, Estimator.fisher: np.square}
    for level in UnitLevel:
        units = layout.units(level)
        assert units
        slopes = [slope(unit) for unit in units]
        for estimator, size in sizes.items():
            found = importance(table, layout, estimator, Normalisation.none, level=level)
            expected = [size(each).mean() for each in slopes]
            assert found == pytest.approx(expected, rel=1e-2, abs=3e-3)
