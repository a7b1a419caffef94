"""The stored loss as a metric, against means by hand."""

import numpy as np
import polars as pl
import pytest

from study.record.errors import InputError
from study.record.metrics import METRICS, Answers, Task, metric
from study.record.metrics.numbers import PER_UNIT
from study.record.scores import mask_scores, with_statistics, with_weights

NAMES = [str(i) for i in range(40)]
LOSSES = {mask: np.random.default_rng(len(mask)).gamma(0.5, 1.0, 40).astype(np.float32) for mask in ("1", "0")}


def outcome_rows() -> pl.DataFrame:
    """Rows as a classifier stores them."""
    one = [pl.DataFrame({"mask": mask, "example": NAMES, "count": 1, "loss": loss}) for mask, loss in LOSSES.items()]
    return pl.concat(one)


@pytest.mark.parametrize("name", ["loss", "squared_error"])
def test_the_score_is_the_mean_of_the_losses_negated(name: str) -> None:
    rows = with_statistics(outcome_rows(), pl.DataFrame({"example": NAMES}), metric(name))
    found = dict(mask_scores(rows, metric(name)).select("mask", "score").iter_rows())
    rounded = {mask: -np.rint(loss.astype(np.float64) * PER_UNIT).mean() / PER_UNIT for mask, loss in LOSSES.items()}
    assert found == pytest.approx(rounded, rel=1e-14)
    assert found == pytest.approx({mask: -loss.mean(dtype=np.float64) for mask, loss in LOSSES.items()}, abs=5e-7)


def test_the_order_of_rows_and_parts_changes_no_score() -> None:
    rows = with_statistics(outcome_rows(), pl.DataFrame({"example": NAMES}), metric("loss"))
    other = rows.sample(fraction=1.0, shuffle=True, seed=1)
    assert dict(mask_scores(rows, metric("loss")).select("mask", "score").iter_rows()) == dict(
        mask_scores(other, metric("loss")).select("mask", "score").iter_rows()
    )


def test_examples_count_by_their_weights() -> None:
    weights = np.random.default_rng(4).integers(1, 9, 40)
    examples = pl.DataFrame({"example": NAMES, "weight": weights.astype(float)})
    rows = with_statistics(with_weights(outcome_rows(), examples), examples, metric("loss"))
    found = dict(mask_scores(rows, metric("loss")).select("mask", "score").iter_rows())
    assert found == pytest.approx({m: -np.average(loss, weights=weights) for m, loss in LOSSES.items()}, abs=1e-6)


def test_it_is_of_the_task_whose_answers_it_scores() -> None:
    assert METRICS["loss"].tasks == (Task.CLASSIFICATION, Task.CHOICE)
    assert metric("loss", Answers(task=Task.CHOICE)).task is Task.CHOICE
    assert metric("loss").signature == "loss|nats|grid:2^-20"


@pytest.mark.parametrize("loss", [np.nan, np.inf])
def test_a_loss_that_is_no_number_is_refused(loss: float) -> None:
    with pytest.raises(InputError, match="1 numbers are not between"):
        metric("loss").count(pl.DataFrame({"loss": [0.5, loss]}))


def test_no_rows_have_the_columns_of_their_statistics() -> None:
    """As a part of a cascade has, none of whose drafts stand."""
    counted = with_statistics(outcome_rows().clear(), pl.DataFrame({"example": NAMES}), metric("loss"))
    assert set(metric("loss").statistics) <= set(counted.columns)
    assert counted.is_empty()
