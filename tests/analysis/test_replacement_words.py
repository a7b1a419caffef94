"""What a page says of each replacement, from the identity that a study stores of it."""

from dataclasses import replace

import numpy as np
import pytest
from fixtures.results import examples_of

from analysis.replacements import GIVES, Replacement
from study.record.factors import Factors
from study.record.setting import Setting
from study.replacement.options import (
    REPLACEMENTS,
    ActsOn,
    Alike,
    DonorPosition,
    LeaveOut,
    Mean,
    Resample,
)
from study.replacement.options import (
    Replacement as Option,
)


def told(option: Option, *, other: bool = False) -> Replacement:
    """What the analysis reads of a setting with this option."""
    studied, snli = (examples_of(name, 30, np.random.default_rng(0)) for name in ("home", "snli"))
    label = None if option.is_usual else option.words()
    place = Factors("toy", "home", "float32", replacement=label)
    subject = {"masked_by": "zero", **option.identity(studied, snli if other else None)}
    return Replacement.of(Setting("toy", "home", "accuracy", subject, {}, "acc", (place,)))


@pytest.mark.parametrize("name", list(REPLACEMENTS))
def test_every_replacement_is_told_in_words(name: str) -> None:
    found = told(REPLACEMENTS[name]())
    assert (found.name, found.is_usual, found.draws) == (name, name == "zero", 1)
    assert GIVES[name].partition("{")[0] in found.sentences[0]
    assert found.is_of_the_same_data == (name in ("mean", "mean_by_position", "resample"))


@pytest.mark.parametrize(
    ("option", "words"),
    [
        (Option(acts_on=ActsOn.scored), "at the tokens that are scored alone. There a removed head or MLP gives zero."),
        (Mean(leave_out=LeaveOut.special), "special tokens do not count"),
        (Mean(count_alike=Alike.examples), "every example counts alike"),
        (Mean(limit=500), "the first 500 examples of the same data"),
        (Resample(draws=4), "Each example has 4 donors"),
        (Resample(position=DonorPosition.random_token), "at a token drawn at random"),
    ],
)
def test_options_are_told(option: Option, words: str) -> None:
    found = told(option)
    assert words in " ".join(found.sentences)
    assert not found.is_usual


def test_a_mean_of_other_data_flatters_nothing() -> None:
    own, other = told(Mean()), told(replace(Mean()), other=True)
    assert "flatters" in " ".join(own.sentences)
    assert "flatters" not in " ".join(other.sentences)
    assert "30 examples" in other.sentences[0]


def test_a_reference_set_has_the_name_that_the_identity_tells() -> None:
    """A label cannot be read where the name of the data has a blank."""
    for reference, limit, words in (
        ({"digest": "d", "count": 30, "data": "my pairs"}, None, "my pairs, 30 examples,"),
        ({"digest": "d", "count": 20, "data": "my pairs"}, 20, "the first 20 examples of my pairs,"),
        ({"digest": "d", "count": 20}, None, "snli, 20 examples,"),
    ):
        options = {"reference": reference, **({"limit": limit} if limit else {})}
        assert words in Replacement("mean", "mean of snli", options).sentences[0]
