"""Importance by hand from a table of gradients."""

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from study.record.errors import InputError
from study.record.importance import Average, Estimator, Normalisation, importance
from study.record.units import AttentionKind, HeadLayout, UnitLevel, layer_of

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


GROUPED = HeadLayout(
    {AttentionKind.ENCODER_SELF: (2,), AttentionKind.DECODER_SELF: (4, 6)},
    groups={AttentionKind.DECODER_SELF: (2, 2)},
    mlps=(0, 1),
)


@pytest.mark.parametrize("level", UnitLevel)
@pytest.mark.parametrize("estimator", [Estimator.paper, Estimator.signed, Estimator.fisher])
@pytest.mark.parametrize("normalisation", [None, *Normalisation])
def test_units_by_brute_force(level: UnitLevel, estimator: Estimator, normalisation: Normalisation | None) -> None:
    """The gradient of one xi for all that a unit's mask turns off, one example at a time."""
    rng = np.random.default_rng(3)
    signed = rng.normal(size=(7, GROUPED.width)).astype(np.float32)
    mask = GROUPED.without([GROUPED.heads[3], *GROUPED.members(GROUPED.key_groups[3])])
    units = GROUPED.units(level)
    off = ~GROUPED.each_off(units)
    sizes = {Estimator.paper: abs, Estimator.signed: lambda x: -x, Estimator.fisher: lambda x: x * x}
    raw = [
        sum(sizes[estimator](sum(float(row[i]) for i in np.flatnonzero(own & mask))) for row in signed) / len(signed)
        for own in off
    ]
    if level in (UnitLevel.layer, UnitLevel.mlp) and normalisation in (Normalisation.layer_l2, Normalisation.layer_max):
        with pytest.raises(InputError, match=f"with unit={level} each layer has one"):
            importance(rows(signed, abs(signed)), GROUPED, estimator, normalisation, level=level)
        return
    found = importance(rows(signed, abs(signed)), GROUPED, estimator, normalisation, mask=mask, level=level)
    one_a_layer = level in (UnitLevel.layer, UnitLevel.mlp)
    normalisation = normalisation or (Normalisation.none if one_a_layer else Normalisation.layer_l2)
    expected = []
    for unit, value in zip(units, raw, strict=True):
        layer = [v for u, v in zip(units, raw, strict=True) if layer_of(u) == layer_of(unit)]
        divisor = {
            Normalisation.none: 1.0,
            Normalisation.layer_l2: sum(v * v for v in layer) ** 0.5,
            Normalisation.layer_max: max(map(abs, layer)),
            Normalisation.model: sum(v * v for v in raw) ** 0.5,
        }[normalisation]
        expected.append(value / (divisor or 1.0))
    assert found == pytest.approx(np.array(expected))
    assert found.shape == (len(units),)


def test_signed_gradients_of_heads_that_pull_apart_make_no_importance_of_their_group() -> None:
    signed = np.array([[0, 0, 3, -3, 1, 1, *[0] * 6, 0, 0]], dtype=np.float32)
    heads, groups = (
        importance(rows(signed, abs(signed)), GROUPED, Estimator.paper, Normalisation.none, level=level)
        for level in (UnitLevel.head, UnitLevel.group)
    )
    assert heads[2:6].tolist() == [3, 3, 1, 1]
    assert groups.tolist() == [0, 2, 0, 0]


def test_the_estimator_of_the_released_code_is_of_single_columns() -> None:
    by_token = np.arange(2 * GROUPED.width, dtype=np.float32).reshape(2, -1)
    table = rows(by_token, by_token)
    mlps = importance(table, GROUPED, Estimator.released_code, level=UnitLevel.mlp)
    assert mlps.tolist() == by_token.mean(axis=0)[-2:].tolist()
    per_token = importance(table, GROUPED, Estimator.released_code, average=Average.tokens, level=UnitLevel.mlp)
    assert per_token.tolist() == (by_token.sum(axis=0)[-2:] / 4).tolist(), "target tokens: only decoders have MLPs"
    for level in (UnitLevel.group, UnitLevel.layer):
        with pytest.raises(InputError, match=f"not for a {level}. With unit={level} take estimator=paper"):
            importance(table, GROUPED, Estimator.released_code, level=level)


def test_columns_of_mlps_change_nothing_of_heads() -> None:
    wide = HeadLayout(LAYOUT.counts, mlps=(0, 1))
    more = np.concatenate([SIGNED, 9 * SIGNED[:, :2]], axis=1)
    for estimator in Estimator:
        found = importance(rows(more, abs(more)), wide, estimator)
        assert found.tolist() == importance(rows(SIGNED, abs(SIGNED)), LAYOUT, estimator).tolist()
