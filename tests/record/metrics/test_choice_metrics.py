"""Metrics of choices against the formulas of lm-evaluation-harness, written out example by example."""

import math

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from study.record.errors import InputError
from study.record.metrics import METRICS, Task, metric
from study.record.scores import mask_scores, with_statistics

ALONE = st.floats(-60, -0.5, allow_nan=False)
ALTERNATIVE = st.tuples(ALONE, ALONE, st.integers(1, 9), st.integers(0, 9), st.integers(1, 30), st.integers(0, 4))
EXAMPLE = st.tuples(st.lists(ALTERNATIVE, min_size=2, max_size=5), st.integers(0, 4))


def frames(examples: list[tuple[list[tuple[float, ...]], int]]) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Outcome rows of one mask and examples, as a language model stores them."""
    columns = [list(zip(*alternatives, strict=True)) for alternatives, _ in examples]
    names = [str(i) for i in range(len(examples))]
    rows = pl.DataFrame(
        {
            "mask": "11",
            "example": names,
            "loglik": [list(one[0]) for one in columns],
            "loglik_alone": [list(one[1]) for one in columns],
            "tokens": [list(one[2]) for one in columns],
            "greedy": [[min(pair) for pair in zip(one[2], one[3], strict=True)] for one in columns],
        }
    )
    known = pl.DataFrame(
        {
            "example": names,
            "target": [str(right % len(alternatives)) for alternatives, right in examples],
            "characters": [list(one[4]) for one in columns],
            "bytes": [[a + b for a, b in zip(one[4], one[5], strict=True)] for one in columns],
        }
    )
    return rows, known


def first_best(values: list[float]) -> int:
    return max(range(len(values)), key=lambda i: (values[i], -i))


def by_hand(name: str, row: dict[str, list[float]], right: int) -> float:
    """What one example counts."""
    sums = row["loglik"]
    each = {
        "choice_accuracy": sums,
        "choice_accuracy_characters": [a / b for a, b in zip(sums, row["characters"], strict=True)],
        "choice_accuracy_bytes": [a / b for a, b in zip(sums, row["bytes"], strict=True)],
        "choice_accuracy_tokens": [a / b for a, b in zip(sums, row["tokens"], strict=True)],
        "choice_accuracy_pmi": [a - b for a, b in zip(sums, row["loglik_alone"], strict=True)],
    }
    if name in each:
        return 100.0 * (first_best(each[name]) == right)
    if name == "target_accuracy":
        return 100.0 * (row["greedy"][right] == row["tokens"][right])
    if name == "logit_difference":
        return sums[right] - max(value for i, value in enumerate(sums) if i != right)
    return sums[right]


NAMES = [name for name, kind in METRICS.items() if kind.tasks == (Task.CHOICE,)]


@settings(deadline=None, max_examples=40)
@given(st.lists(EXAMPLE, min_size=1, max_size=6))
def test_scores_are_those_written_out(examples: list[tuple[list[tuple[float, ...]], int]]) -> None:
    rows, known = frames(examples)
    each = rows.join(known, on="example").rows(named=True)
    for name in NAMES:
        own = metric(name)
        found = mask_scores(with_statistics(rows, known, own), own)["score"][0]
        expected = math.fsum(by_hand(name, row, int(row["target"])) for row in each) / len(each)
        if name == "target_perplexity":
            assert found == pytest.approx(-math.exp(-expected), rel=2e-6)
        else:
            assert found == pytest.approx(expected, abs=1e-6), name


def test_of_equal_alternatives_the_first_is_chosen() -> None:
    rows = pl.DataFrame({"loglik": [[-2.0, -1.0, -1.0], [-2.0, -1.0, -1.0]], "target": ["1", "2"]})
    assert metric("choice_accuracy").count(rows)[:, 0].tolist() == [1, 0]


def test_a_score_follows_another_without_taking_its_counts() -> None:
    """Every choice metric has statistics of its own names: rows that hold those of one are not taken for another's."""
    names = [name for own in map(metric, METRICS) for name in own.statistics if Task.CHOICE in own.tasks]
    assert len(set(names)) == len(names)
    rows, known = frames([([(-1.0, -2.0, 1, 0, 1, 0), (-2.0, -1.0, 1, 0, 9, 0)], 1)])
    both = with_statistics(
        with_statistics(rows, known, metric("choice_accuracy")), known, metric("choice_accuracy_characters")
    )
    assert both.select("right_by_sum", "right_by_characters").row(0) == (0, 1)


def test_what_cannot_be_scored_is_refused_in_words() -> None:
    rows = pl.DataFrame({"loglik": [[-1.0, -2.0]], "target": ["2"]})
    with pytest.raises(InputError, match="the right alternative is '2', and there are 2, counted from 0"):
        metric("choice_accuracy").count(rows)
    with pytest.raises(InputError, match="one alternative alone.*: 1"):
        metric("logit_difference").count(pl.DataFrame({"loglik": [[-1.0]], "target": ["0"]}))
    with pytest.raises(InputError, match="1 of 2 entries of the column loglik are no numbers"):
        metric("choice_accuracy").count(pl.DataFrame({"loglik": [[-1.0, np.nan]], "target": ["0"]}))
    rows, known = frames([([(-1.0, -2.0, 1, 0, 1, 0)] * 2, 1)])
    with pytest.raises(InputError, match="needs the characters of the examples, which are not stored"):
        with_statistics(rows, known.drop("characters"), metric("choice_accuracy_characters"))
    with pytest.raises(
        InputError, match="column loglik_alone, which these outcomes do not hold: a study with model.uncond"
    ):
        with_statistics(rows.drop("loglik_alone"), known, metric("choice_accuracy_pmi"))
