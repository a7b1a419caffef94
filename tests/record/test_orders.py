"""Orders are permutations, steps are the paper's counts, and an order in a file is read or refused in words."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from study.record.errors import InputError
from study.record.orders import Steps, keep_one_a_layer, least_first, read_order
from study.record.units import AttentionKind, Head, HeadLayout, UnitLevel, layer_of, select_heads

LAYOUT = HeadLayout(dict.fromkeys(AttentionKind, (3, 2)))


@pytest.mark.parametrize(
    ("steps", "n", "expected"),
    [
        (Steps.code_mt, 288, [0, 29, 58, 87, 116, 144, 173, 202, 231, 260, 288]),
        (Steps.paper, 144, [0, 14, 29, 43, 58, 72, 86, 101, 115, 130, 144]),
        (Steps.paper, 16, [0, 2, 3, 5, 6, 8, 10, 11, 13, 14, 16]),
        (Steps.every, 3, [0, 1, 2, 3]),
        (Steps.paper, 2, [0, 1, 2]),
    ],
)
def test_steps(steps: Steps, n: int, expected: list[int]) -> None:
    assert steps.counts(n, n) == expected


def test_the_steps_of_the_code_for_bert_include_those_of_ten_percent() -> None:
    found = Steps.code_bert.counts(144, 144)
    assert found[:5] == [0, 7, 14, 21, 28]
    assert found[::2] == [int(144 * i / 10) for i in range(11)]


@given(st.sampled_from(Steps), st.integers(1, 400), st.integers(0, 400))
def test_steps_grow_from_none_to_all_that_may_go(steps: Steps, n: int, kept: int) -> None:
    removable = max(0, n - kept)
    found = steps.counts(n, removable)
    assert found == sorted(set(found))
    assert (found[0], found[-1]) == (0, removable)


@given(st.lists(st.floats(-1, 1), min_size=15, max_size=15), st.sets(st.sampled_from(AttentionKind)))
def test_orders_are_permutations_of_the_heads_asked_for(values, kinds) -> None:
    heads = list(select_heads(LAYOUT, sorted(kinds)))
    by_value = least_first(np.array(values[: len(heads)]), heads)
    assert sorted(map(str, by_value)) == sorted(map(str, heads))
    in_order = [values[heads.index(head)] for head in by_value]
    assert in_order == sorted(in_order)


@given(st.permutations(LAYOUT.heads))
def test_a_head_is_kept_in_each_layer_the_one_that_would_go_last(order: list[Head]) -> None:
    kept = keep_one_a_layer(order, LAYOUT)
    assert len(kept) == len(LAYOUT) - len(LAYOUT.layers)
    assert kept == [head for head in order if head in set(kept)]
    last = {(head.kind, head.layer): head for head in order}
    assert set(last.values()) == set(order) - set(kept)


@pytest.mark.parametrize("level", UnitLevel)
def test_a_unit_of_any_level_is_kept_in_each_layer(level: UnitLevel) -> None:
    kinds = dict.fromkeys(AttentionKind, (4, 2))
    layout = HeadLayout(kinds, groups=dict.fromkeys(kinds, (2, 2)), mlps=(0, 1, 2))
    units = layout.units(level)
    kept = keep_one_a_layer(units[::-1], layout)
    layers = 3 if level is UnitLevel.mlp else 6
    assert len(units) - len(kept) == layers == len({layer_of(unit) for unit in units})
    assert set(units) - set(kept) == {next(u for u in units if layer_of(u) == layer) for layer in map(layer_of, units)}


def test_an_order_of_groups_is_one_of_every_group(tmp_path: Path) -> None:
    layout = HeadLayout({AttentionKind.CROSS: (4,)}, groups={AttentionKind.CROSS: (2,)}, mlps=(0,))
    path = tmp_path / "order.txt"
    path.write_text("cross.0.g1\ncross.0.g0\n")
    assert read_order(path, layout.key_groups) == list(layout.key_groups[::-1])
    with pytest.raises(InputError, match="line 1: cross.0.g1 is none of the 4 heads that are to be removed"):
        read_order(path, layout.heads)
    path.write_text("")
    with pytest.raises(InputError, match="does not name mlp.0: an order has every MLP once"):
        read_order(path, layout.units(UnitLevel.mlp))


def test_an_order_is_read_from_a_file(tmp_path: Path) -> None:
    heads = list(LAYOUT.heads)
    path = tmp_path / "order.txt"
    path.write_text("# mine\n\n" + "\n".join(map(str, heads[::-1])) + "\n")
    assert read_order(path, heads) == heads[::-1]


@pytest.mark.parametrize(
    ("lines", "says"),
    [
        (["cross.0.0", "cross.0.0"], r"line 2: cross.0.0 stands in line 1 already"),
        (["cross.0.0"], r"does not name cross.0.1, cross.0.2, cross.1.0 and cross.1.1: an order has every head once"),
        (["cross.0.7"], "line 1: cross.0.7 is none of the 5 heads"),
        (["encoder_self.0.0"], "encoder_self.0.0 is none of the 5 heads"),
        (["cross-0-0"], "is no address"),
    ],
)
def test_a_wrong_order_is_refused_in_words(tmp_path: Path, lines: list[str], says: str) -> None:
    path = tmp_path / "order.txt"
    path.write_text("\n".join(lines))
    with pytest.raises(InputError, match=says):
        read_order(path, list(select_heads(LAYOUT, [AttentionKind.CROSS])))


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot read the order in"):
        read_order(tmp_path / "none.txt", list(LAYOUT.heads))
