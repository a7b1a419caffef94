"""The choice of what stands in a masked unit's place: what it adds to an identity, and what it is called."""

from itertools import product
from pathlib import Path

import pytest
from fixtures import jobs

from study.config import compose, to_study
from study.data.nli import NliFile
from study.jobs.measuring import MeasuringJob
from study.record.errors import InputError
from study.record.examples import Examples
from study.record.metrics import Task
from study.replacement.options import REPLACEMENTS, Mean, Replacement


def chosen(*overrides: str) -> Replacement:
    return to_study(compose("model=toy_classifier", "data=toy_matched", *overrides)).replacement


def test_zero_adds_nothing_to_an_identity() -> None:
    examples = Examples(ids=("1",), texts=(("a",),), targets=("b",))
    assert chosen().identity(examples, None) == {}
    assert chosen("replacement.acts_on=scored").identity(examples, None) == {
        "masked_by": "zero",
        "replacement": {"acts_on": "scored"},
    }


def test_the_identity_says_that_every_alternative_was_read() -> None:
    """Of choices alone, and by position alone: ids of all else stay."""
    examples = Examples(ids=("1",), texts=(("a",),), targets=("0",))
    for name, task in product(REPLACEMENTS, (None, Task.CLASSIFICATION, Task.CHOICE)):
        options = chosen(f"replacement={name}").options(examples, None, task)
        assert ("alternatives" in options) == ((name, task) == ("mean_by_position", Task.CHOICE))


@pytest.mark.parametrize("name", REPLACEMENTS)
def test_every_replacement_is_chosen_by_its_name(name: str) -> None:
    choice = chosen(f"replacement={name}")
    assert (type(choice), choice.name) == (REPLACEMENTS[name], name)


@pytest.mark.parametrize(
    ("overrides", "words"),
    [
        ("", "zero"),
        ("replacement.acts_on=scored", "zero at scored tokens"),
        ("replacement=mean", "mean"),
        ("replacement=mean replacement.data=snli", "mean of snli"),
        ("replacement=mean replacement.data=snli replacement.limit=9", "mean of 9 examples of snli"),
        (
            "replacement=mean replacement.limit=9 replacement.leave_out=none",
            "mean of the first 9 examples over all tokens",
        ),
        ("replacement=mean_by_position replacement.acts_on=scored", "mean by position at scored tokens"),
        ("replacement=resample replacement.draws=3 replacement.seed=1", "resample in 3 draws (seed 1)"),
        ("replacement=resample replacement.position=random_token", "resample at random tokens"),
        ("replacement=value_bias", "value bias"),
    ],
)
def test_words_tell_replacements_apart(overrides: str, words: str) -> None:
    assert chosen(*overrides.split()).words() == words


@pytest.mark.parametrize(
    ("file", "words"),
    [("snli_1.0/dev.jsonl", "mean of snli_1.0/dev"), ("snli_1.0/captions.jsonl", "mean of captions")],
)
def test_a_file_that_is_called_after_its_part_is_told_with_its_folder(tmp_path: Path, file: str, words: str) -> None:
    path = tmp_path / file
    path.parent.mkdir()
    path.touch()
    data = NliFile(name="", path=path, labels=["no", "yes"])
    found = Mean(data=data)
    assert found.words() == words
    assert found.data is not None
    assert found.data.name == path.stem, "folders of results keep their names"


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        ("replacement=mean replacement.limit=0", "replacement.limit=0"),
        ("replacement=resample replacement.draws=0", "replacement.draws=0"),
        ("replacement=resample replacement.seed=-1", "replacement.seed=-1"),
        ("replacement=mean replacement.data=snli replacement.data.limit=5", "replacement.limit says"),
        (
            "replacement=mean replacement.data=ioi",
            "ioi is for choice, and model 'toy_classifier' is for classification",
        ),
        ("replacement=uniform measure=ablation_mlps", "an MLP has none"),
        ("replacement=value_bias measure=ablation_mlps", "an MLP has none"),
        ("replacement=mean measure=attention", "has no effect on measure=attention"),
        ("replacement.acts_on=scored", "acts_on=scored is for language models"),
    ],
)
def test_what_makes_no_sense_is_refused_before_anything_is_read(overrides: str, message: str) -> None:
    job = MeasuringJob(to_study(compose("model=toy_classifier", "data=toy_matched", *overrides.split())))
    with pytest.raises(InputError, match=message.replace("(", r"\(")):
        job.check()


def test_settings_differ_by_replacement_alone(tmp_path) -> None:
    place = jobs.make_place(tmp_path)
    first = MeasuringJob(to_study(compose(*jobs.overrides(place)))).setting
    mean = MeasuringJob(to_study(compose(*jobs.overrides(place, "replacement=mean")))).setting
    assert (first.subject["masked_by"], mean.subject["masked_by"]) == ("zero", "mean")
    assert "replacement" not in first.subject
    own = {"acts_on": "all", "reference": "own", "count_alike": "tokens", "leave_out": "first"}
    assert mean.subject["replacement"] == own
    assert {name for name in first.subject if first.subject[name] != mean.subject[name]} == {"masked_by"}
    assert [place.replacement for place in (*first.factors, *mean.factors)] == [None, "mean"]
