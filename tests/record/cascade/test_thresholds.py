"""Thresholds only rise, whoever writes them and in whatever order."""

import math

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from study.record.cascade import Stage, Thresholds

DRAFTS = [stage for stage in Stage if stage.is_draft]
MASKS = ["011", "101", "110"]
MARGINS = st.floats(0, 10) | st.just(math.inf)
THRESHOLDS = st.dictionaries(st.sampled_from(DRAFTS), st.dictionaries(st.sampled_from(MASKS), MARGINS, min_size=1)).map(
    Thresholds
)
EVERY = [(stage, mask) for stage in DRAFTS for mask in MASKS]


def known(thresholds: Thresholds) -> dict[tuple[Stage, str], float]:
    return {(stage, mask): value for stage, own in thresholds.values.items() for mask, value in own.items()}


@given(THRESHOLDS, THRESHOLDS, THRESHOLDS)
def test_joining_is_the_maximum(one: Thresholds, other: Thresholds, third: Thresholds) -> None:
    assert one.join(other) == other.join(one)
    assert one.join(other).join(third) == one.join(other.join(third))
    assert one.join(one) == one == one.join(Thresholds()) == Thresholds().join(one)
    a, b = known(one), known(other)
    assert known(one.join(other)) == {key: max(a.get(key, 0), b.get(key, 0)) for key in {*a, *b}}


@given(THRESHOLDS)
def test_is_written_and_read(thresholds: Thresholds) -> None:
    assert Thresholds.from_json(thresholds.to_json()) == thresholds
    some = thresholds.of(MASKS[:2])
    assert known(some) == {key: value for key, value in known(thresholds).items() if key[1] in MASKS[:2]}


@given(THRESHOLDS, st.lists(st.tuples(st.sampled_from(MASKS), st.sampled_from([*Stage]), MARGINS), min_size=1))
def test_a_draft_is_open_unless_its_margin_is_above_its_threshold(thresholds: Thresholds, rows: list) -> None:
    frame = pl.DataFrame(rows, schema={"mask": pl.String, "stage": pl.String, "margin": pl.Float32}, orient="row")
    expected = [
        Stage(stage).is_draft and not frame["margin"][place] > thresholds.at(Stage(stage), mask)
        for place, (mask, stage, _) in enumerate(rows)
    ]
    assert thresholds.is_open(frame).to_list() == expected


def test_what_is_no_number_is_open_and_what_is_exact_never_is() -> None:
    rows = pl.DataFrame(
        {"mask": MASKS[:1] * 3, "stage": ["bfloat16"] * 2 + ["float32"], "margin": [math.nan, None, 0.0]}
    )
    assert Thresholds({Stage.bfloat16: {MASKS[0]: 0.0}}).is_open(rows).to_list() == [True, True, False]


@pytest.mark.parametrize(
    ("text", "words"),
    [("[]", "cannot be read"), ('{"float16": {}}', "float16"), ('{"bfloat16": {"011": -1}}', "must be 0 or more"),
     ('{"float32": {"011": 1}}', "it is exact"), ('{"bfloat16": {"011": NaN}}', "is nan"), ("{", "cannot be read")],
)  # fmt: skip
def test_what_is_none_is_refused(text: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        Thresholds.from_json(text)


def test_an_unknown_stage_is_refused() -> None:
    with pytest.raises(ValueError, match="rows of stage int8, which is none of first_order, bfloat16, float32"):
        Thresholds().is_open(pl.DataFrame({"mask": ["011"], "stage": ["int8"], "margin": [1.0]}))
