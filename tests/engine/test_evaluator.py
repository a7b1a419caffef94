from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from fixtures import cases

from study.engine.engine import OneMaskAtATime
from study.engine.evaluator import Evaluator
from study.engine.pairs import TableRequest
from study.record.errors import InputError
from study.record.examples import Examples
from study.record.setting import Setting
from study.record.store import Store
from study.record.tables import OUTCOMES
from study.record.units import stack
from study.subjects.classifier import Classifier

GENERATOR = np.random.default_rng(3)
TEXTS = [" ".join(f"w{i}" for i in GENERATOR.integers(0, 60, GENERATOR.integers(1, 12))) for _ in range(12)]
DATA = Examples(ids=tuple(f"n{i}" for i in range(12)), texts=tuple((text,) for text in TEXTS), targets=cases.LABELS * 4)
SETTING = Setting(
    model="tiny",
    data="words",
    metric="accuracy",
    subject={"labels": list(cases.LABELS)},
    examples={"digest": DATA.digest, "count": 12},
    statistic="accuracy|percent",
)


class Counting(Classifier):
    """A classifier that counts what is computed, and may be killed."""

    computed = 0
    dies_after = float("inf")

    def outcomes(self, rows, masks):
        if self.computed >= self.dies_after:
            raise KeyboardInterrupt
        self.computed += len(rows)
        return super().outcomes(rows, masks)


@pytest.fixture
def subject() -> Counting:
    module = cases.build(cases.CLASSIFIERS["bert"])
    return Counting(module, cases.tiny_tokenizer(), labels=cases.LABELS, max_length=32, truncate=False, loaded="tiny")


def evaluator(results: Path, subject: Counting, *, data: Examples = DATA, batch_tokens: int = 40) -> Evaluator:
    store = Store(results, SETTING, subject.layout, DATA)
    return Evaluator(store, SETTING, data, lambda: OneMaskAtATime(subject, batch_tokens), provenance={})


def some_masks(subject: Counting, n: int = 5) -> np.ndarray:
    return np.random.default_rng(4).random((n, len(subject.layout))) < 0.5


def test_rows_equal_one_at_a_time(tmp_path: Path, subject: Counting) -> None:
    masks = some_masks(subject)
    found = evaluator(tmp_path, subject).outcomes(masks)
    assert found.height == len(masks) * len(DATA)
    encoded = subject.encode(DATA)
    for mask in masks:
        for row in encoded:
            alone = subject.outcomes([row], mask[None])
            key = subject.layout.key(mask)
            stored = found.row(by_predicate=(pl.col("mask") == key) & (pl.col("example") == row.example), named=True)
            assert stored["correct"] == alone["correct"][0]
            assert stored["margin"] == pytest.approx(alone["margin"][0], abs=1e-4)


@pytest.mark.parametrize("batch_tokens", [1, 17, 10_000])
def test_batches_change_nothing(tmp_path: Path, subject: Counting, batch_tokens: int) -> None:
    masks = some_masks(subject)
    one = evaluator(tmp_path / "a", subject).outcomes(masks)
    other = evaluator(tmp_path / "b", subject, batch_tokens=batch_tokens).outcomes(masks)
    assert one.select("mask", "example", "correct", "prediction").equals(
        other.select("mask", "example", "correct", "prediction")
    )
    assert np.allclose(one["margin"], other["margin"], atol=1e-4)


def test_order_of_masks_and_examples_is_irrelevant(tmp_path: Path, subject: Counting) -> None:
    masks = some_masks(subject)
    one = evaluator(tmp_path / "a", subject).outcomes(masks)
    backwards = DATA.take(range(len(DATA))[::-1])
    other = evaluator(tmp_path / "b", subject, data=backwards).outcomes(masks[::-1])
    assert other["example"].to_list()[:12] == list(DATA.ids[::-1])
    both = [frame.sort("mask", "example").select("mask", "example", "correct") for frame in (one, other)]
    assert both[0].equals(both[1])


def test_nothing_is_computed_twice(tmp_path: Path, subject: Counting) -> None:
    masks = some_masks(subject)
    evaluator(tmp_path, subject).outcomes(np.concatenate([masks[:2], masks[:2]]))
    assert subject.computed == 2 * 12
    again = evaluator(tmp_path, subject)
    again.outcomes(masks)
    assert subject.computed == 5 * 12
    assert again.remaining([subject.layout.key(mask) for mask in masks]) == {}


def test_what_two_requests_ask_for_is_computed_once(tmp_path: Path, subject: Counting) -> None:
    masks, own = some_masks(subject), evaluator(tmp_path, subject)
    some = TableRequest(OUTCOMES, masks[:2], examples=DATA.ids[:4])
    own.require([some, TableRequest(OUTCOMES, masks[1:4]), some, TableRequest(OUTCOMES, masks)])
    assert subject.computed == own.store.read().rows.height == 5 * 12


def test_the_model_is_not_loaded_when_nothing_is_missing(tmp_path: Path, subject: Counting) -> None:
    masks = some_masks(subject)
    expected = evaluator(tmp_path, subject).outcomes(masks)
    stored = Evaluator(Store(tmp_path, SETTING, subject.layout, DATA), SETTING, DATA, pytest.fail, provenance={})
    assert stored.outcomes(masks).equals(expected)


def test_a_limit_is_a_view(tmp_path: Path, subject: Counting) -> None:
    first = evaluator(tmp_path, subject, data=DATA.take(range(5)))
    assert first.outcomes(some_masks(subject)).height == 25
    assert evaluator(tmp_path, subject).outcomes(some_masks(subject)).height == 60
    assert subject.computed == 60


def test_what_was_computed_before_an_interruption_stays(tmp_path: Path, subject: Counting) -> None:
    subject.dies_after = 30
    with pytest.raises(KeyboardInterrupt):
        evaluator(tmp_path / "a", subject).outcomes(some_masks(subject))
    killed = subject.computed
    subject.dies_after = float("inf")
    resumed = evaluator(tmp_path / "a", subject).outcomes(some_masks(subject))
    assert subject.computed == 60
    assert 0 < killed < 60
    undisturbed = evaluator(tmp_path / "b", subject).outcomes(some_masks(subject))
    assert resumed.drop("margin", "loss").equals(undisturbed.drop("margin", "loss"))


def test_gradients_are_stored_and_never_computed_twice(tmp_path: Path, subject: Counting, monkeypatch) -> None:
    masks = np.concatenate([subject.layout.full()[None], some_masks(subject, 1)])
    found = evaluator(tmp_path, subject).gradients(masks)
    keys = map(subject.layout.key, masks)
    assert found.select("mask", "example").rows() == [(key, name) for key in keys for name in DATA.ids]
    alone = subject.gradients(subject.encode(DATA)[4:5], masks[1:])
    row = found.row(12 + 4, named=True)
    assert row["gradient"] == pytest.approx(alone["gradient"][0], abs=1e-5)
    assert row["token_gradient"] == pytest.approx(alone["token_gradient"][0], abs=1e-5)
    monkeypatch.setattr(Counting, "gradients", pytest.fail)
    assert evaluator(tmp_path, subject).gradients(masks).equals(found)
    assert subject.computed == 0


def test_base_score_is_the_share_of_right_predictions(tmp_path: Path, subject: Counting) -> None:
    rows = subject.encode(DATA)
    logits = subject.response(rows, None)
    right = sum(
        int(row.argmax()) == cases.LABELS.index(target) for row, target in zip(logits, DATA.targets, strict=True)
    )
    assert evaluator(tmp_path, subject).base_score() == pytest.approx(100 * right / 12)


def test_no_masks_no_rows(tmp_path: Path, subject: Counting) -> None:
    assert evaluator(tmp_path, subject).outcomes(stack([], subject.layout)).is_empty()
    assert subject.computed == 0


@pytest.mark.parametrize("masks", [np.ones((2, 7), dtype=bool), np.ones((2, 8)), np.ones(8, dtype=bool)])
def test_refuses_masks_of_another_shape(tmp_path: Path, subject: Counting, masks: np.ndarray) -> None:
    with pytest.raises((InputError, TypeError)):
        evaluator(tmp_path, subject).outcomes(masks)


def test_examples_of_another_set_have_another_setting() -> None:
    other = replace(SETTING, examples={"digest": DATA.take(range(3)).digest, "count": 3})
    assert other.id != SETTING.id


def test_weights_weigh_every_score_and_loss(tmp_path: Path, subject: Counting) -> None:
    weights = np.random.default_rng(1).random(12) + 0.1
    data = replace(DATA, weights=tuple(map(float, weights)))
    setting = replace(SETTING, examples={"digest": data.digest, "count": 12})
    assert setting.id != SETTING.id
    assert setting.subject_id == SETTING.subject_id
    store = Store(tmp_path, setting, subject.layout, data)
    found = Evaluator(store, setting, data, lambda: OneMaskAtATime(subject, 40), provenance={})
    masks = np.concatenate([subject.layout.full()[None], some_masks(subject)])
    rows = found.outcomes(masks)
    plain = evaluator(tmp_path / "plain", subject)
    same = ["mask", "example", "correct", "prediction", "loss"]
    assert rows.select(same).equals(plain.outcomes(masks).select(same)), "outcomes know of no weights"
    each = {str(mask): own for (mask,), own in rows.group_by("mask", maintain_order=True)}
    keys = list(map(subject.layout.key, masks))
    right, losses = ([np.average(each[key][name], weights=weights) for key in keys] for name in ("correct", "loss"))
    assert found.base_score() == pytest.approx(100 * right[0], abs=1e-6)
    assert plain.base_score() == pytest.approx(100 * each[keys[0]]["correct"].mean())
    elsewhere = plain.stored_elsewhere(f"words/{setting.id}", OUTCOMES)
    assert elsewhere is None, "another results folder"
    elsewhere = evaluator(tmp_path, subject).stored_elsewhere(f"words/{setting.id}", OUTCOMES)
    assert elsewhere is not None
    for stored in (found.stored(), elsewhere):
        assert stored.scores(masks) == pytest.approx(100 * np.array(right), abs=1e-6)
        assert stored.losses(masks) == pytest.approx(np.array(losses), rel=1e-6)
    assert "weight" not in store.read().rows.columns
