"""Metrics of labels against scikit-learn, by count and by resample."""

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import accuracy_score, f1_score, matthews_corrcoef

from study.record.errors import InputError
from study.record.metrics import METRICS, Answers, Task, metric

LABELS = ("no", "perhaps", "yes")
THEIRS = {
    "accuracy": accuracy_score,
    "matthews": matthews_corrcoef,
    "f1": lambda gold, found: f1_score(gold, found, labels=["yes"], average="macro", zero_division=0),
    "f1_macro": lambda gold, found: f1_score(gold, found, average="macro", zero_division=0),
}
NUMBERS = st.lists(st.tuples(st.integers(0, 2), st.integers(0, 2)), min_size=1, max_size=30)


def counted(name: str, pairs: np.ndarray, **about: object) -> tuple[object, np.ndarray]:
    """The metric, and the statistics of (predicted, gold) pairs of numbers."""
    own = metric(name, Answers(**({"labels": LABELS, "positive": "Yes"} | about)))  # type: ignore[arg-type]
    return own, own.count(pl.DataFrame({"prediction": pairs[:, 0], "target": np.array(LABELS)[pairs[:, 1]]}))


def test_every_metric_of_labels_is_tried() -> None:
    assert set(THEIRS) == {name for name, kind in METRICS.items() if kind.tasks == (Task.CLASSIFICATION,)}


@settings(deadline=None, max_examples=60)
@given(NUMBERS)
@pytest.mark.filterwarnings("ignore")
def test_scores_are_scikit_learns(pairs: list[tuple[int, int]]) -> None:
    numbers = np.array(pairs)
    predicted, gold = np.array(LABELS)[numbers.T]
    for name, theirs in THEIRS.items():
        own, statistics = counted(name, numbers)
        assert own.score(statistics.sum(axis=0)) == pytest.approx(100 * theirs(gold, predicted), abs=1e-10), name
        alone = own.score_alone(statistics)
        assert alone.tolist() == (100.0 * (predicted == gold)).tolist()


@pytest.mark.parametrize("name", THEIRS)
def test_weighted_sums_score_as_if_examples_stood_more_than_once(name: str) -> None:
    rng = np.random.default_rng(1)
    numbers, weights = rng.integers(0, 3, (40, 2)), rng.integers(0, 4, (5, 40))
    own, statistics = counted(name, numbers)
    predicted, gold = np.array(LABELS)[numbers.T]
    expected = [100 * THEIRS[name](np.repeat(gold, often), np.repeat(predicted, often)) for often in weights]
    assert own.score(weights @ statistics) == pytest.approx(expected, abs=1e-10)
    assert own.score_rows(statistics[None], weights)[:, 0] == pytest.approx(expected, abs=1e-10)


def test_answers_that_are_all_the_same_are_told() -> None:
    same = np.stack([np.zeros(9, dtype=int), np.arange(9) % 3], axis=1)
    own, statistics = counted("matthews", same)
    assert (own.score(statistics.sum(axis=0)), own.undefined(statistics.sum(axis=0))) == (0.0, True)
    own, statistics = counted("f1", same[:2])
    assert (own.score(statistics.sum(axis=0)), own.undefined(statistics.sum(axis=0))) == (0.0, True)
    own, statistics = counted("f1_macro", same)
    assert not own.undefined(statistics.sum(axis=0))


def test_labels_that_the_data_does_not_tell_apart_are_one() -> None:
    """HANS: neutral and contradiction are both non-entailment, and either is right."""
    about = Answers(
        labels=("entailment", "neutral", "contradiction"),
        merged={"neutral": "non-entailment", "contradiction": "non-entailment"},
        positive="non-entailment",
    )
    gold = ["non-entailment", "non-entailment", "entailment", "Non-entailment"]
    rows = pl.DataFrame({"prediction": [0, 1, 2, 2], "target": gold})
    assert metric("accuracy", about).count(rows)[:, 0].tolist() == [0, 1, 0, 1]
    assert metric("f1", about).score(metric("f1", about).count(rows).sum(axis=0)) == pytest.approx(200 / 3)


def test_what_cannot_be_scored_is_refused_in_words() -> None:
    with pytest.raises(InputError, match=r"F1 is about one label of no, perhaps, yes: data.positive names it"):
        metric("f1", Answers(labels=LABELS))
    with pytest.raises(InputError, match=r"labels \['maybe'\] are none of no, perhaps, yes"):
        metric("matthews", Answers(labels=LABELS)).count(pl.DataFrame({"prediction": [0], "target": ["maybe"]}))
    with pytest.raises(InputError, match="the labels of the model are not stored"):
        metric("matthews").count(pl.DataFrame({"prediction": [0], "target": ["no"]}))
    with pytest.raises(InputError, match="there is no metric 'mathews'.*did you mean 'matthews'"):
        metric("mathews")
