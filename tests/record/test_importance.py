"""Importance by hand from a table of gradients."""

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from study.record.errors import InputError
from study.record.importance import Average, Estimator, Normalisation, importance
from study.record.units import AttentionKind, HeadLayout

LAYOUT = HeadLayout({AttentionKind.ENCODER_SELF: (2, 1), AttentionKind.CROSS: (1,)})
SIGNED = np.array([[3.0, -1.0, 0.0, 2.0], [-1.0, -1.0, 0.0, 2.0]], dtype=np.float32)
BY_TOKEN = np.array([[5.0, 1.0, 0.0, 2.0], [1.0, 3.0, 0.0, 4.0]], dtype=np.float32)


def rows(signed: np.ndarray = SIGNED, by_token: np.ndarray = BY_TOKEN) -> pl.DataFrame:
    return pl.DataFrame(
        {
            "gradient": signed.astype(np.float32),
            "token_gradient": by_token.astype(np.float32),
            "source_tokens": np.full(len(signed), 4),
            "target_tokens": np.full(len(signed), 2),
        }
    )


@pytest.mark.parametrize(
    ("estimator", "expected"),
    [
        (Estimator.paper, [2.0, 1.0, 0.0, 2.0]),
        (Estimator.released_code, [3.0, 2.0, 0.0, 3.0]),
        (Estimator.signed, [-1.0, 1.0, 0.0, -2.0]),
        (Estimator.fisher, [5.0, 1.0, 0.0, 4.0]),
    ],
)
def test_estimators_by_hand(estimator: Estimator, expected: list[float]) -> None:
    assert importance(rows(), LAYOUT, estimator, Normalisation.none).tolist() == expected


def test_normalisations_by_hand() -> None:
    def paper(normalisation: Normalisation | None) -> list[float]:
        return importance(rows(), LAYOUT, Estimator.paper, normalisation).tolist()

    assert paper(None) == paper(Normalisation.layer_l2)
    assert paper(Normalisation.layer_l2) == pytest.approx([2 / 5**0.5, 1 / 5**0.5, 0, 1])
    assert paper(Normalisation.layer_max) == [1, 0.5, 0, 1]
    assert paper(Normalisation.model) == pytest.approx([2 / 3, 1 / 3, 0, 2 / 3])
    raw = importance(rows(), LAYOUT, Estimator.released_code)
    assert raw.tolist() == [3, 2, 0, 3], "the released code normalises nothing unless told to"


def test_an_average_over_tokens_divides_by_those_that_an_attention_answers() -> None:
    found = importance(rows(), LAYOUT, Estimator.released_code, Normalisation.none, Average.tokens)
    assert found.tolist() == [6 / 8, 4 / 8, 0, 6 / 4]


def test_no_rows_is_an_error_in_words() -> None:
    with pytest.raises(InputError, match="at least one example"):
        importance(rows().clear(), LAYOUT)


@given(st.lists(st.lists(st.floats(-10, 10, width=32), min_size=4, max_size=4), min_size=1, max_size=6), st.randoms())
def test_the_order_of_examples_is_irrelevant(values: list[list[float]], random) -> None:
    signed = np.array(values)
    shuffled = signed[random.sample(range(len(signed)), len(signed))]
    for estimator in Estimator:
        one = importance(rows(signed, abs(signed)), LAYOUT, estimator, Normalisation.none)
        assert np.allclose(one, importance(rows(shuffled, abs(shuffled)), LAYOUT, estimator, Normalisation.none))


@pytest.mark.parametrize("estimator", Estimator)
@pytest.mark.parametrize("average", Average)
def test_a_weight_is_how_often_an_example_stands(estimator: Estimator, average: Average) -> None:
    once = rows().with_columns(weight=pl.Series([3, 1]), source_tokens=pl.Series([4, 9]))
    often = pl.concat([once[:1]] * 3 + [once[1:]]).drop("weight")
    found = importance(once, LAYOUT, estimator, Normalisation.none, average)
    assert found == pytest.approx(importance(often, LAYOUT, estimator, Normalisation.none, average))
    assert found[0] != pytest.approx(importance(once.drop("weight"), LAYOUT, estimator, Normalisation.none, average)[0])
