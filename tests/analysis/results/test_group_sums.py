"""Sums over groups of examples, against what adding up by hand gives."""

import numpy as np
import polars as pl

from analysis.results.groups import GROUP, Groups, group_sums

EXAMPLES = pl.DataFrame({"example": ["a", "b", "c", "d"], "document": ["y", "x", "y", "z"]})


def test_groups_stand_in_the_order_in_which_examples_first_have_them() -> None:
    groups = Groups.of(EXAMPLES, "document")
    assert (groups.names.to_list(), groups.numbers.tolist()) == (["y", "x", "z"], [0, 1, 0, 2])
    assert groups.sizes.tolist() == [2, 1, 1]
    placed = groups.place(pl.DataFrame({"value": [1, 2, 3], "example": ["d", "other", "a"]}))
    assert placed.rows() == [(3, "a", 0), (1, "d", 2)]
    assert placed.columns == ["value", "example", GROUP]


def test_sums_are_those_of_a_loop_a_group_without_rows_has_none_and_integers_are_exact() -> None:
    rng = np.random.default_rng(0)
    group = rng.integers(0, 5, 40)
    group[group == 3] = 4
    for values in (rng.normal(size=(40, 3, 2)), rng.integers(-(2**60), 2**60, (40, 2)) // 40):
        found = group_sums(values, group, 6)
        assert found.dtype == values.dtype
        for number in range(6):
            np.testing.assert_allclose(found[number], values[group == number].sum(axis=0), rtol=1e-12, atol=0)
    assert not found[3].any()
    large = np.array([[2**53], [1]])
    assert group_sums(large, np.zeros(2, dtype=np.int64), 1).tolist() == [[2**53 + 1]]
