"""What is said of a base score that no config expects."""

import logging
from types import SimpleNamespace

import pytest
from jaxtyping import config

from study.jobs.guard import guard
from study.subjects.model import ExpectedScore

EXPECTED = {"mnli_matched": ExpectedScore(score=84.0, tolerance=1.0)}


@pytest.fixture(autouse=True)
def _unchecked_types(monkeypatch: pytest.MonkeyPatch) -> None:
    """What stands for an evaluator here has only what is looked at."""
    monkeypatch.setattr(config, "jaxtyping_disable", True)


def said(caplog: pytest.LogCaptureFixture, data: str, base: float, metric: str, **how: object) -> str:
    setting = SimpleNamespace(model="m", data=data, metric=metric, examples={"count": 3})
    evaluator = SimpleNamespace(setting=setting, examples=range(3), metric=SimpleNamespace(score_unit="%"))
    with caplog.at_level(logging.INFO):
        guard(evaluator, base, check_labels=False, **{"expected": {}, **how})  # pyright: ignore[reportArgumentType]
    return caplog.text


def test_scores_that_are_expected_of_other_data_are_named(caplog: pytest.LogCaptureFixture) -> None:
    text = said(caplog, "dev_matched", 71.0, "accuracy", expected=EXPECTED)
    assert "of m on dev_matched (model.expected has mnli_matched, none of this name): is 71.00 right?" in text


@pytest.mark.parametrize(("base", "warned"), [(0.36, True), (5.0, False)])
def test_a_translation_without_a_right_word_is_doubted(
    caplog: pytest.LogCaptureFixture, base: float, warned: bool
) -> None:
    assert ("the languages the wrong way round" in said(caplog, f"text-{base}", base, "bleu")) == warned


def test_a_checkpoint_of_a_training_is_not_doubted(caplog: pytest.LogCaptureFixture) -> None:
    assert said(caplog, "early", 0.1, "bleu", asks=False) == ""
