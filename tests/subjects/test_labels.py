"""Names of a classifier's outputs as configs of any age tell them, and what examples tell of their order."""

import json
import shlex
from pathlib import Path

import pytest
from fixtures import cases

from study.config import compose
from study.record.errors import InputError
from study.subjects.huggingface.label_names import label_names
from study.subjects.labels import (
    as_override,
    better_label_orders,
    require_labels,
    why_no_order_is_better,
)


def names(folder: Path, labels: tuple[str, ...] = (), **config: object) -> tuple[str, ...]:
    (folder / "config.json").write_text(json.dumps(config))
    return label_names(folder, labels)


TWO_PLACEHOLDERS = {"0": "LABEL_0", "1": "LABEL_1"}


@pytest.mark.parametrize(
    "config",
    [
        {"id2label": {str(i): label for i, label in enumerate(cases.LABELS)}},
        {"id2label": list(cases.LABELS)},
        {"id2label": {"2": cases.LABELS[2], "1": cases.LABELS[1], "0": cases.LABELS[0]}, "num_labels": 3},
    ],
)
def test_names_in_the_order_of_their_numbers(tmp_path: Path, config: dict) -> None:
    assert names(tmp_path, **config) == cases.LABELS


@pytest.mark.parametrize(
    "config",
    [
        {"num_labels": 3},
        {"_num_labels": 3},
        {"num_labels": 3, "id2label": TWO_PLACEHOLDERS},
        {"_num_labels": 3, "id2label": TWO_PLACEHOLDERS},
        {"id2label": {**TWO_PLACEHOLDERS, "2": "LABEL_2"}},
    ],
)
def test_a_number_of_outputs_without_names_takes_as_many_names(tmp_path: Path, config: dict) -> None:
    assert names(tmp_path, ("a", "b", "c"), **config) == ("a", "b", "c")
    with pytest.raises(InputError, match="names 2 labels, .* has 3 outputs"):
        names(tmp_path, ("a", "b"), **config)
    with pytest.raises(InputError, match=r"LABEL_0, LABEL_1, LABEL_2\).*'model\.labels=\[contradiction,"):
        names(tmp_path, **config)


def test_without_any_word_of_labels_there_are_two_outputs(tmp_path: Path) -> None:
    assert names(tmp_path, ("no", "yes")) == ("no", "yes")


def test_names_that_are_numbers_fit_data_whose_labels_are_these_numbers(tmp_path: Path) -> None:
    own = names(tmp_path, id2label={"0": 0, "1": 1, "2": 2})
    require_labels(["0", "2"], own)
    with pytest.raises(InputError, match=r"does not name its labels \(0, 1, 2\): give their order"):
        require_labels(cases.LABELS, own)


@pytest.mark.parametrize("kind", ["multi_label_classification", "regression"])
def test_a_model_that_does_not_choose_one_label_is_refused(tmp_path: Path, kind: str) -> None:
    with pytest.raises(InputError, match=f"is a model of {kind}.*take problem_type out"):
        names(tmp_path, id2label=list(cases.LABELS), problem_type=kind)


def test_what_names_no_labels_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="two outputs of .* have one name"):
        names(tmp_path, id2label=["neutral", "Neutral", "entailment"])
    for wrong in ({"first": "neutral"}, "neutral"):
        with pytest.raises(InputError, match="is no list of names by number"):
            names(tmp_path, id2label=wrong)


@pytest.mark.parametrize("labels", [("neutral", "entailment"), ("not entailment", "true", 'a "b"', "it's", "1", "x:y")])
def test_labels_as_an_argument_can_be_pasted_into_a_shell(labels: tuple[str, ...]) -> None:
    (argument,) = shlex.split(as_override(labels))
    config = compose("model=hf_classifier", "model.path=x", "data=toy_matched", argument)
    assert tuple(config.model.labels) == labels


def test_finds_the_order_of_labels_under_which_most_is_right() -> None:
    labels = ("e", "n", "c")
    gold = [0, 0, 1, 1, 2, 2] * 20
    predicted = [1, 1, 2, 2, 0, 0] * 20
    assert better_label_orders(gold, predicted, labels) == [("c", "e", "n")]
    assert better_label_orders(gold, gold, labels) == []
    assert better_label_orders(gold, [0, 0, 1, 1, 2, 0] * 20, labels) == []


def test_of_orders_that_are_as_good_none_is_the_right_one() -> None:
    gold, predicted = [2] * 199 + [0], [0] * 179 + [2] * 20 + [1]
    orders = better_label_orders(gold, predicted, ("e", "n", "c"))
    assert sorted(orders) == [("c", "e", "n"), ("c", "n", "e")]


def test_too_little_says_nothing_about_the_order_of_labels() -> None:
    assert "98 examples are too few" in why_no_order_is_better([0, 1] * 49)
    assert why_no_order_is_better([0] * 200) == "all examples have one label"
    assert better_label_orders([0, 1] * 49, [1, 0] * 49, ("no", "yes")) == []
    assert better_label_orders([0] * 200, [1] * 200, ("no", "yes")) == []
    assert better_label_orders([0, 1] * 50, [1, 0] * 50, ("no", "yes")) == [("yes", "no")]


def test_targets_that_may_number_the_outputs_are_told_what_to_say() -> None:
    with pytest.raises(InputError, match=r"labels \['0', '2'\] are not the model's") as refused:
        require_labels(["2", "0", "2"], cases.LABELS)
    (said,) = (word for word in shlex.split(str(refused.value).replace("model's", "")) if "model.labels" in word)
    given = compose("model=hf_classifier", "model.path=x", "data=nli_file", "data.path=x.tsv", said.rstrip(";"))
    require_labels(["2", "0"], list(map(str, given.model.labels)))
    for others in (["3"], ["0", "maybe"]):
        with pytest.raises(InputError) as refused:
            require_labels(others, cases.LABELS)
        assert "model.labels" not in str(refused.value)
