"""Tangents against finite differences of the module in double precision, and against each other."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from fixtures.classifiers import classifier, examples
from fixtures.language_models import choices, language_model
from fixtures.replacement import replaced

from study.engine.cascade.choices import ChoiceDecider
from study.engine.cascade.classifiers import ClassifierDecider
from study.engine.cascade.tangent import KeptTangents, Tangent
from study.engine.weights.classifier import classifier_weights
from study.subjects.classifier import Classifier
from study.subjects.language_model.passes import language_rows
from study.subjects.subject import Subject, TokenRow

STEP = 1e-4
ROUGH_STEP = 1e-2
"""For what is rounded to float32 on its way."""


def slopes(values: Callable[[torch.Tensor], torch.Tensor], width: int, rows: int, size: float = STEP) -> np.ndarray:
    """Derivatives by central differences, [rows, values, width]."""
    found = []
    for unit in range(width):
        step = torch.zeros(rows, width, dtype=torch.float64)
        step[:, unit] = size
        found.append((values(1 + step) - values(1 - step)) / (2 * size))
    return torch.stack(found, -1).detach().numpy()


def gated(subject: Subject, rows: list[TokenRow], values: Callable[[], torch.Tensor]) -> Callable:
    def under(xi: torch.Tensor) -> torch.Tensor:
        with torch.no_grad(), subject.standing(rows), subject.gate.masked(xi):
            return values()

    return under


@pytest.mark.parametrize("name", ["bert", "gpt2"])
def test_slopes_of_logits_are_finite_differences(name: str) -> None:
    subject = classifier(name)
    subject.module.double()
    rows = subject.encode(examples(5))
    found = ClassifierDecider(subject, 40).tangents(rows)
    expected = slopes(gated(subject, rows, lambda: subject.logits(rows)), subject.layout.width, len(rows))
    for tangent, own in zip(found, expected, strict=True):
        np.testing.assert_allclose(tangent.slopes, own - own[:1], atol=1e-5)
    whole = subject.logits(rows).numpy()
    np.testing.assert_allclose([tangent.values for tangent in found], whole, atol=1e-5)


@pytest.mark.parametrize(
    ("name", "kind", "options"),
    [
        ("bert", "zero", {}),
        ("distilbert", "mean", {}),
        ("roberta", "mean_by_position", {}),
        ("bert", "uniform", {}),
        ("bert", "resample", {"seed": 1}),
    ],
)
def test_the_engines_own_pass_and_the_modules_have_one_tangent(name: str, kind: str, options: dict) -> None:
    subject = replaced.subject(f"classifier {name}", replaced.choice(kind, **options))
    assert isinstance(subject, Classifier)
    rows = subject.encode(replaced.pairs())
    weights = classifier_weights(subject.module, subject.gate)
    both = ClassifierDecider(subject, 60, weights), ClassifierDecider(subject, 60)
    for own, plain in zip(*(decider.tangents(rows) for decider in both), strict=True):
        np.testing.assert_allclose(own.values, plain.values, atol=1e-5)
        np.testing.assert_allclose(own.slopes, plain.slopes, atol=1e-5)


def test_slopes_of_choices_are_finite_differences_for_heads_and_mlps() -> None:
    subject = language_model("llama")
    subject.module.double()
    (row,) = subject.encode(choices(1))
    requests = language_rows([row])[0].requests
    (found,) = ChoiceDecider(subject, 100).tangents([row])
    values = gated(subject, [row] * len(requests), lambda: subject.sums(requests)[None])
    expected = slopes(values, subject.layout.width, len(requests), ROUGH_STEP)
    np.testing.assert_allclose(found.slopes, expected[0], atol=2e-3)
    assert subject.layout.mlps


def test_values_under_masks_lose_the_slopes_of_what_is_off() -> None:
    tangent = Tangent(np.array([1.0, 2.0]), np.array([[0.0, 0.0, 0.0], [0.1, 0.2, 0.4]]))
    np.testing.assert_allclose(tangent.under(np.array([[True, True, True], [False, True, False]])), [[1, 2], [1, 1.5]])


def test_tangents_are_taken_once_as_far_as_there_is_room() -> None:
    taken: list[str] = []

    def take(rows: list[TokenRow]) -> list[Tangent]:
        taken.extend(row.example for row in rows)
        return [Tangent(np.zeros(2), np.zeros((2, 3))) for _ in rows]

    rows = [TokenRow(name, (1,), 0, 1) for name in "abc"]
    kept = KeptTangents(take, most_numbers=12)
    for _ in range(2):
        assert len(kept.of(rows)) == 3
    assert taken == ["a", "b", "c", "c"]
    assert kept.lacks(rows) == 1
