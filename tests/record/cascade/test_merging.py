"""Exact beats draft: the laws of the merge rule, on rows that any number of parts may hold, beside a plain loop."""

from collections import defaultdict

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from study.record.cascade import Stage, Thresholds
from study.record.cascade.merging import latest, standing_drafts

KEYS = ["mask", "example"]
ROWS = st.lists(
    st.tuples(
        st.sampled_from(["01", "10"]),
        st.sampled_from("xyz"),
        st.sampled_from([*Stage]),
        st.integers(0, 1),
        st.sampled_from([0.5, 1.0, 1.5, 2.0]),
    ),
    min_size=1,
    max_size=14,
)
VALUE = st.sampled_from([0.0, 0.7, 1.2, 1.7, 5.0])
THRESHOLDS = st.fixed_dictionaries(
    {stage: st.fixed_dictionaries({"01": VALUE, "10": VALUE}) for stage in Stage if stage.is_draft}
).map(Thresholds)


def frame(rows: list) -> pl.DataFrame:
    schema = {"mask": pl.String, "example": pl.String, "stage": pl.String, "prediction": pl.Int64, "margin": pl.Float64}
    return pl.DataFrame(rows, schema=schema, orient="row").with_columns(part=pl.lit("p"))


def merged(rows: list, thresholds: Thresholds) -> dict[tuple[str, str], tuple[str, int | None]]:
    """What stands: the stage and the answer of each mask and example; of exact rows the first."""
    own = latest(frame(rows))
    exact, drafts = own.filter(pl.col("stage") == "float32"), own.filter(pl.col("stage") != "float32")
    found = pl.concat([exact.unique(KEYS, keep="first", maintain_order=True), standing_drafts(drafts, thresholds)])
    return {(mask, example): (stage, answer) for mask, example, stage, answer, *_ in found.iter_rows()}


@given(ROWS, THRESHOLDS)
@settings(deadline=None)
def test_rows_stand_as_a_plain_loop_finds_them(rows: list, thresholds: Thresholds) -> None:
    every, expected = defaultdict(list), {}
    for mask, example, stage, answer, margin in rows:
        every[mask, example].append((stage, answer, margin))
    order = [*Stage]
    for (mask, example), own in every.items():
        last = max((stage for stage, *_ in own), key=order.index)
        of_last = [(answer, margin) for stage, answer, margin in own if stage is last]
        clear = min(margin for _, margin in of_last) > thresholds.at(last, mask)
        if last is Stage.float32 or (len({answer for answer, _ in of_last}) == 1 and clear):
            expected[mask, example] = (str(last), of_last[0][0])
    assert merged(rows, thresholds) == expected


@given(ROWS, THRESHOLDS, st.randoms(use_true_random=False))
@settings(deadline=None)
def test_the_order_of_parts_does_not_matter(rows: list, thresholds: Thresholds, random) -> None:
    agreeing = [row for row in rows if row[2] is not Stage.float32 or row[3] == 1]  # exact rows must agree
    shuffled = random.sample(agreeing, len(agreeing))
    assert not agreeing or merged(agreeing, thresholds) == merged(shuffled, thresholds)


@given(ROWS, THRESHOLDS, THRESHOLDS)
@settings(deadline=None)
def test_raising_a_threshold_only_takes_drafts_away(rows: list, low: Thresholds, other: Thresholds) -> None:
    before, after = merged(rows, low), merged(rows, low.join(other))
    assert after.items() <= before.items()
    assert {key: row for key, row in before.items() if row[0] == "float32"}.items() <= after.items()


@given(ROWS, THRESHOLDS)
@settings(deadline=None)
def test_an_exact_row_stands_whatever_drafts_there_are(rows: list, thresholds: Thresholds) -> None:
    exact = ("01", "x", Stage.float32, 1, 0.0)
    others = [row for row in rows if row[2].is_draft]
    with_it = merged([*others, exact], thresholds)
    assert with_it["01", "x"] == ("float32", 1)
    without = merged(others, thresholds) if others else {}
    assert {key: row for key, row in with_it.items() if key != ("01", "x")} == {
        key: row for key, row in without.items() if key != ("01", "x")
    }


def test_drafts_of_choices_differ_where_another_choice_is_the_likeliest() -> None:
    one = pl.DataFrame(
        {
            "mask": ["01"] * 4,
            "example": ["x", "x", "y", "y"],
            "stage": ["bfloat16"] * 4,
            "loglik": [[-1.0, -2.0], [-1.1, -2.1], [-3.0, -2.9], [-2.9, -3.0]],
            "tokens": [[1, 1]] * 4,
            "margin": [1.0, 0.9, 0.1, 0.1],
            "part": ["a", "b"] * 2,
        }
    )
    standing = standing_drafts(one, Thresholds({Stage.bfloat16: {"01": 0.05}}))
    assert standing["example"].to_list() == ["x"]
    assert standing["margin"].to_list() == [0.9]
