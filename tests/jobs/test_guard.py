"""What is said of a base score that no config expects."""

import logging
from functools import partial
from types import SimpleNamespace

import polars as pl
import pytest
from jaxtyping import config

from study.engine.evaluator import Evaluator
from study.jobs.guard import guard
from study.record.examples import Examples
from study.record.metrics import metric
from study.record.units import AttentionKind, HeadLayout
from study.subjects.model import ExpectedScore

EXPECTED = {"mnli_matched": ExpectedScore(score=84.0, tolerance=1.0)}


@pytest.fixture(autouse=True)
def _unchecked_types(monkeypatch: pytest.MonkeyPatch) -> None:
    """What stands for an evaluator here has only what is looked at."""
    monkeypatch.setattr(config, "jaxtyping_disable", True)


LAYOUT = HeadLayout({AttentionKind.DECODER_SELF: (1,)})
CHOICES = Examples(("a", "b"), (("who", " x", " y"), ("what", " x", " y", " z", " w")), ("0", "1"))


def said(caplog: pytest.LogCaptureFixture, data: str, base: float, name: str, *, draws: int = 1, **how: object) -> str:
    setting = SimpleNamespace(model="m", data=data, metric=name, examples={"count": 2}, scored_by="", draws=draws)
    evaluator = SimpleNamespace(setting=setting, examples=CHOICES, metric=metric(name), layout=LAYOUT)
    evaluator.outcomes = lambda _masks: pl.DataFrame({"example": CHOICES.ids})
    evaluator.chance = partial(Evaluator.chance, evaluator)
    with caplog.at_level(logging.INFO):
        guard(evaluator, base, check_labels=False, **{"expected": {}, **how})  # pyright: ignore[reportArgumentType]
    return caplog.text


def test_scores_that_are_expected_of_other_data_are_named(caplog: pytest.LogCaptureFixture) -> None:
    text = said(caplog, "dev_matched", 71.0, "accuracy", expected=EXPECTED)
    assert "of m on dev_matched (model.expected has mnli_matched, none of this name): is 71.00 % right?" in text


@pytest.mark.parametrize(("base", "warned"), [(0.36, True), (5.0, False)])
def test_a_translation_without_a_right_word_is_doubted(
    caplog: pytest.LogCaptureFixture, base: float, warned: bool
) -> None:
    assert ("the languages the wrong way round" in said(caplog, f"text-{base}", base, "bleu")) == warned


@pytest.mark.parametrize(("base", "warned"), [(37.5, True), (37.6, False)])
def test_choices_at_chance_are_doubted(caplog: pytest.LogCaptureFixture, base: float, warned: bool) -> None:
    """Of two and of four choices: 37.5 % by chance."""
    text = said(caplog, f"choices-{base}", base, "choice_accuracy")
    assert ("no more often than chance (37.50 %)" in text) == warned
    assert "chance" not in said(caplog, f"targets-{base}", base, "target_accuracy").replace(text, "")


def test_a_checkpoint_of_a_training_is_not_doubted(caplog: pytest.LogCaptureFixture) -> None:
    assert said(caplog, "early", 0.1, "bleu", asks=False) == ""


def test_draws_of_some_examples_are_not_taken_for_all(caplog: pytest.LogCaptureFixture) -> None:
    """Two rows that are one example of the two, with two donors."""
    expected = {"drawn": ExpectedScore(score=84.0, tolerance=1.0)}
    assert "only some examples are used" in said(caplog, "drawn", 50.0, "choice_accuracy", draws=2, expected=expected)
