"""Chance by hand, of answers with weights and without, and what has none."""

import polars as pl
import pytest

from study.record.chance import chance
from study.record.examples import Examples
from study.record.metrics import Answers, Task, metric

IDS = tuple("abcd")
ROWS = pl.DataFrame({"example": IDS, "prediction": [1, 1, 0, 1]})
ANSWERS = Answers(labels=("no", "yes"))


def asked(*targets: str, weights: tuple[float, ...] | None = None) -> pl.DataFrame:
    return Examples(IDS, tuple((i,) for i in IDS), targets, weights=weights).to_frame()


def test_chance_by_hand() -> None:
    accuracy = metric("accuracy", ANSWERS)
    assert chance(ROWS, asked("yes", "no", "yes", "yes"), accuracy) == pytest.approx(100 * (9 + 1) / 16)
    weighted = asked("yes", "no", "yes", "yes", weights=(1.0, 4.0, 1.0, 1.0))
    assert chance(ROWS, weighted, accuracy) == pytest.approx(100 * (6 * 3 + 1 * 4) / 49)
    assert chance(ROWS, asked(*["yes"] * 4), accuracy) is None, "one label: nothing tells an answer from knowledge"
    assert chance(ROWS.drop("prediction"), asked("yes", "no", "yes", "yes"), accuracy) == 50
    constant = ROWS.with_columns(prediction=pl.lit(1))
    for name, score in (("accuracy", 75), ("matthews", 0)):
        found = chance(constant, asked("yes", "no", "yes", "yes"), metric(name, ANSWERS))
        assert found == pytest.approx(score), "the commonest label always: what it scores is chance"


def test_chance_of_choices_and_translations_by_hand() -> None:
    texts = (("c", " x", " y"), ("c", " x", " y", " z", " w"))
    choices = Examples(("a", "b"), texts, ("0", "1")).to_frame()
    by = metric("choice_accuracy", Answers(task=Task.CHOICE))
    assert chance(ROWS.head(2), choices, by) == pytest.approx(37.5)
    assert chance(ROWS.drop("prediction"), asked("one", "two", "three", "four"), metric("bleu")) == 0
