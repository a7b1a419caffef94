"""Examples of a choice: alternatives that differ in number, what they are divided by, and how they are stored."""

from dataclasses import replace

import pytest

from study.record.errors import InputError
from study.record.examples import Examples, Varies, text_columns

CHOICES = Examples(
    ids=("a", "b"),
    texts=(("The sky is", " blue", " green", " loud"), ("Two and two are", " four", " five")),
    targets=("0", "0"),
    counts={"characters": ((4, 5, 4), (4, 4))},
)


def test_fewer_alternatives_are_null_in_the_table() -> None:
    frame = CHOICES.to_frame()
    assert frame["text_4"].to_list() == [" loud", None]
    assert frame["characters"].to_list() == [[4, 5, 4], [4, 4]]
    assert "varies" not in frame.columns


def test_counts_go_with_their_examples() -> None:
    assert CHOICES.take([1]).counts == {"characters": ((4, 4),)}
    with pytest.raises(InputError, match="2 ids, but {'characters': 1}"):
        replace(CHOICES, counts={"characters": ((4, 5, 4),)})


def test_what_varies_and_what_it_is_divided_by_are_in_the_digest() -> None:
    plain = replace(CHOICES, counts={})
    turned = replace(plain, varies=Varies.CONTEXT)
    assert len({CHOICES.digest, plain.digest, turned.digest}) == 3
    assert turned.take([0]).varies is Varies.CONTEXT
    assert turned.to_frame()["varies"].to_list() == ["context", "context"]


@pytest.mark.parametrize("name", ["target", "text_2", "characters", "weight"])
def test_what_slices_examples_takes_no_name_of_a_column_that_is_there(name: str) -> None:
    """It would take the place of the targets, say, by which answers are scored."""
    with pytest.raises(InputError, match=f"'{name}' cannot name what groups or slices"):
        Examples(("a",), (("b", " c"),), ("0",), {name: ("d",)}, counts={"characters": ((1,),)})
    table = Examples(("a",), (("b", " c"),), ("0",), {"text_type": ("d",)}).to_frame()
    assert text_columns(table.columns) == ["text_1", "text_2"]
