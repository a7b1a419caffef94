"""Donors are of other groups, and belong to an example and a draw, whatever else is studied."""

from dataclasses import replace

import pytest
from fixtures.replacement import replaced
from hypothesis import given, settings
from hypothesis import strategies as st

from study.record.errors import InputError
from study.replacement.draws import Candidates, by_name, draw, several

NUMBER = 12


def candidates(lengths: list[int]) -> Candidates:
    names = [f"e{i}" for i in range(len(lengths))]
    return Candidates(names, [f"g{i // 2}" for i in range(len(lengths))], [(length,) for length in lengths])


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(1, 9), min_size=NUMBER, max_size=NUMBER), st.integers(0, 5), st.integers(1, 4))
def test_donors_are_of_other_groups_and_long_enough_where_there_are_such(
    lengths: list[int], seed: int, draws: int
) -> None:
    own = candidates(lengths)
    for i, donors in enumerate(draw(own, own, draws, seed)):
        drawn = [own.groups[j] for j in donors]
        assert own.groups[i] not in drawn
        assert len(set(drawn)) == draws
        enough = {own.groups[j] for j in range(NUMBER) if lengths[j] >= lengths[i]} - {own.groups[i]}
        assert sum(lengths[j] >= lengths[i] for j in donors) == min(draws, len(enough))


def test_donors_do_not_depend_on_other_examples_or_on_how_many_are_drawn() -> None:
    own = candidates([5] * NUMBER)
    some = Candidates(own.ids[3:5], own.groups[3:5], own.lengths[3:5])
    three = draw(own, own, 3, seed=7)
    assert draw(some, own, 3, seed=7) == three[3:5]
    assert draw(own, own, 1, seed=7) == [donors[:1] for donors in three]
    assert draw(own, own, 3, seed=8) != three


def test_every_donor_is_drawn_alike() -> None:
    own = candidates([5] * NUMBER)
    first = Candidates([f"x{i}" for i in range(3000)], ["x"] * 3000, [(1,)] * 3000)
    counts = [0] * NUMBER
    for (donor,) in draw(first, own, 1, seed=0):
        counts[donor] += 1
    expected = 3000 / NUMBER
    assert sum((count - expected) ** 2 / expected for count in counts) < 31.3  # chi square, 11 degrees, p = .001


def test_rows_of_which_no_donor_was_drawn_are_refused() -> None:
    """The model is proved on random rows, which have a donor of their own; examples without one are a mistake."""
    subject = replaced.subject("classifier bert", replaced.choice("resample"))
    row = subject.encode(replaced.pairs())[0]
    assert subject.stand_in(subject.probe()).is_of_rows
    with pytest.raises(InputError, match="no donor was drawn for example 'another'"):
        subject.stand_in([replace(row, example="another")])


def test_fewer_other_groups_than_draws_are_refused() -> None:
    own = candidates([5] * 6)
    with pytest.raises(InputError, match=r"replacement.draws=3: for example 'e0' the reference set has 2 groups"):
        draw(own, own, 3, seed=0)


def test_examples_are_studied_once_for_each_draw() -> None:
    examples = replaced.pairs()
    assert several(examples, 1) is examples
    twice = several(examples, 2)
    assert twice.ids[:4] == ("e0~1", "e0~2", "e1~1", "e1~2")
    assert twice.texts[2] == twice.texts[3] == examples.texts[1]
    assert twice.groups == tuple(group for group in examples.groups for _ in range(2))
    own = candidates([5] * 4)
    assert by_name(own, [[2, 3], [2, 3], [0, 1], [0, 1]], 2)["e2~2"] == 1


def test_draws_of_an_example_without_a_group_are_one_group() -> None:
    examples = replaced.examples("translator fsmt")
    assert several(examples, 2).groups[:4] == ("s0", "s0", "s1", "s1")
