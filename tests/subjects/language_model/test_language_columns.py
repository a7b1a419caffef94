"""Outcome columns from sums alone: their types whatever the number of continuations, and what they come to."""

import numpy as np
import polars as pl
import pytest

from study.subjects.language_model.columns import choice_loss, margin, outcome_columns
from study.subjects.language_model.requests import Request, choice_row, text_row


def request(number: int) -> Request:
    return Request((1,), tuple(range(number)))


@pytest.mark.parametrize("numbers", [(2, 2), (2, 3), (1, 1)])
@pytest.mark.parametrize("alone", [True, False])
def test_columns_of_choices_are_lists_whatever_their_number(numbers: tuple[int, ...], alone: bool) -> None:
    requests = [[request(k + 1) for k in range(number)] for number in numbers]
    rows = [choice_row(str(i), own, 0, own if alone else ()) for i, own in enumerate(requests)]
    count = sum(numbers) * (1 + alone)
    found = pl.DataFrame(outcome_columns(-np.arange(count, dtype=float), np.arange(count), rows))
    assert found.schema["loglik"] == pl.List(pl.Float64)
    assert found.schema["tokens"] == found.schema["greedy"] == pl.List(pl.Int64)
    assert ("loglik_alone" in found.columns) == alone
    assert [len(own) for own in found["loglik"]] == list(numbers)
    assert found["tokens"].to_list() == [list(range(1, number + 1)) for number in numbers]
    assert found["margin"].is_infinite().all() == (numbers == (1, 1))


def test_a_text_is_the_sum_of_its_windows() -> None:
    rows = [text_row("a", [request(2), request(3)]), text_row("b", [request(4)])]
    found = outcome_columns(np.array([-1.0, -2.5, -4.0]), np.array([1, 0, 2]), rows)
    assert found["nll"].tolist() == found["loss"].tolist() == [3.5, 4.0]
    assert (found["tokens"].tolist(), found["greedy"].tolist()) == ([5, 4], [1, 2])


def test_loss_and_margin_of_a_choice() -> None:
    sums = np.log([0.2, 0.6, 0.2]) - 50.0
    assert choice_loss(sums, 1) == pytest.approx(-np.log(0.6))
    assert margin(sums) == pytest.approx(np.log(3.0))
    assert choice_loss(sums[:1], 0) == -sums[0]
