"""Slices: two parts that share nothing, whole groups, the same ones whatever the order of the file."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from study.config import compose, to_study
from study.data.slice import Slice, held_out
from study.data.source import DataSource
from study.jobs.measuring import MeasuringJob
from study.record.errors import InputError
from study.record.examples import Examples
from study.record.metrics import Task

grouped = st.lists(st.sampled_from("abcdefgh"), min_size=1, max_size=40)
shares = st.floats(0.01, 0.99)


class Whole(DataSource):
    """A set whose examples are given."""

    def __init__(self, groups: list[str]) -> None:
        super().__init__(name="whole", task=Task.CLASSIFICATION, metric="mcc", max_unknown=0.5)
        self.groups = groups

    def examples(self) -> Examples:
        number = len(self.groups)
        ids = tuple(f"{group}{i}" for i, group in enumerate(self.groups))
        return Examples(ids, (("text",),) * number, ("label",) * number, {"group": tuple(self.groups)})


def part(groups: list[str], share: float, *, out: bool) -> Slice:
    return Slice(of=Whole(groups), share=share, held_out=out)


@given(grouped, shares)
def test_two_parts_make_the_whole_and_no_group_is_in_both(groups: list[str], share: float) -> None:
    rows = held_out(Whole(groups).examples(), share)
    rest = set(range(len(groups))) - rows
    assert not {groups[row] for row in rows} & {groups[row] for row in rest}
    assert len(rows) >= share * len(groups)
    assert any(len(rows) - groups.count(group) < share * len(groups) for group in {groups[row] for row in rows})


@given(grouped, shares, st.randoms(use_true_random=False))
def test_neither_the_order_of_a_file_nor_a_larger_share_takes_anything_back(
    groups: list[str], share: float, generator: random.Random
) -> None:
    out = {groups[row] for row in held_out(Whole(groups).examples(), share)}
    shuffled = generator.sample(groups, len(groups))
    assert {shuffled[row] for row in held_out(Whole(shuffled).examples(), share)} == out
    assert {groups[row] for row in held_out(Whole(groups).examples(), (1 + share) / 2)} >= out


def test_a_slice_is_read_and_scored_as_the_whole_is() -> None:
    out, rest = (part([*"aabbccddee"], 0.3, out=out) for out in (True, False))
    assert (out.name, rest.name) == ("whole-held_out", "whole-rest")
    assert (out.task, out.metric, out.max_unknown) == (Task.CLASSIFICATION, "mcc", 0.5)
    assert sorted([*out.examples().ids, *rest.examples().ids]) == sorted(out.of.examples().ids)
    assert out.identity() != rest.identity()


@pytest.mark.parametrize(("groups", "share"), [([*"aaaa"], 0.5), ([*"ab"], 0.7), ([*"ab"], 0.0), ([*"ab"], 1.0)])
def test_a_part_without_examples_is_refused(groups: list[str], share: float) -> None:
    with pytest.raises(InputError, match=r"share=.* of the . examples of data 'whole' holds out"):
        part(groups, share, out=True).examples()


def test_a_slice_is_data_like_any_other() -> None:
    job = MeasuringJob(to_study(compose("model=toy_classifier", "data=slice", "data.of=toy_matched", "data.share=.25")))
    assert job.study.data.name == "toy_matched-held_out"
    assert 500 <= len(job.examples) < 510, "2,000 pairs, a premise has a few"
    job.check()
