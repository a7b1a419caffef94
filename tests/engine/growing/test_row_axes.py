"""What a layer is given for some sequences, of what it is given for all of them."""

import pytest
import torch

from study.engine.growing.row_axes import RowAxis, chosen_rows, row_axes


def test_rows_are_told_by_passes_over_one_sequence_and_over_two() -> None:
    one, two = ([torch.Size(shape) for shape in shapes] for shapes in ([(1, 5), (4, 5), (5,)], [(2, 5), (8, 5), (5,)]))
    assert row_axes(one, two) == [RowAxis(0, 1), RowAxis(0, 4), None]
    with pytest.raises(ValueError, match=r"given \[1, 5\] numbers for one sequence, and \[3, 5\] for two"):
        row_axes([torch.Size((1, 5))], [torch.Size((3, 5))])


@pytest.mark.parametrize("each", [1, 2])
def test_each_sequence_gets_its_rows_as_often_as_it_is_wanted(each: int) -> None:
    """A row for each sequence, or one for each of two heads; what is the same for all stays so."""
    rows, same = torch.arange(3 * each * 4).view(3 * each, 4), torch.ones(4)
    wanted = torch.tensor([2, 0, 2])
    found = chosen_rows({"rows": rows, "more": (same, None)}, [RowAxis(0, each), None], wanted)
    assert found["rows"].equal(torch.cat([rows[each * i : each * i + each] for i in wanted]))
    assert found["more"][0] is same


def test_a_single_row_is_shown_and_not_copied() -> None:
    """Zamba2 joins the embeddings of its one sequence to hidden states of many rows."""
    row = torch.arange(4.0)[None]
    (found,) = chosen_rows([row], [RowAxis()], torch.tensor([0, 0, 0]))
    assert found.shape == (3, 4)
    assert found.data_ptr() == row.data_ptr()
