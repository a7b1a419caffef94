"""When two rows of a language model agree: sums by a share of their size, counts of greedy tokens by near ties."""

import polars as pl
import pytest

from study.record.tables.agreement import FIRST, decisions_differ, greedy_tokens_differ, is_close, numbers_differ

CHOICE = {"loglik": [-140.0, -150.0], "tokens": [40, 50], "greedy": [20, 10], "margin": 10.0, "loss": 5e-5}
TEXT = {"nll": 3000.0, "tokens": 1000, "greedy": 400, "margin": float("inf"), "loss": 3000.0}


def judged(row: dict[str, object], **other: object) -> tuple[bool, bool, bool, bool, bool]:
    """Whether decisions differ, numbers, whether it was close, whether greedy tokens differ, and too many of them."""
    one, first = pl.DataFrame([row]), pl.DataFrame([row | other])
    pair = one.hstack(first.rename(lambda name: f"{name}{FIRST}"))
    columns = one.schema
    found = (decisions_differ(columns), numbers_differ(columns, 1e-4), is_close(columns, 1e-4))
    return pair.select(*(e.alias(str(i)) for i, e in enumerate((*found, *greedy_tokens_differ(columns))))).row(0)


@pytest.mark.parametrize(
    ("row", "other", "expected"),
    [
        (CHOICE, {}, (False, False, False, False, False)),
        (CHOICE, {"loglik": [-140.01, -150.0], "margin": 9.99}, (False, False, False, False, False)),
        (CHOICE, {"loglik": [-140.0, -150.02]}, (False, True, False, False, False)),
        (CHOICE, {"tokens": [40, 51]}, (True, False, False, False, False)),
        (CHOICE, {"greedy": [21, 9]}, (False, False, False, True, False)),
        (CHOICE, {"greedy": [23, 10]}, (False, False, False, True, True)),
        (CHOICE | {"margin": 0.01}, {}, (False, False, True, False, False)),
        (TEXT, {"nll": 3000.2, "loss": 3000.2}, (False, False, False, False, False)),
        (TEXT, {"nll": 3000.4}, (False, True, False, False, False)),
        (TEXT, {"greedy": 421}, (False, False, False, True, False)),
        (TEXT, {"greedy": 422}, (False, False, False, True, True)),
        ({"loss": 30.0, "margin": 1.0}, {"loss": 30.001}, (False, True, False, False, False)),
    ],
)
def test_pairs_of_rows(row: dict[str, object], other: dict[str, object], expected: tuple[bool, ...]) -> None:
    assert judged(row, **other) == expected
