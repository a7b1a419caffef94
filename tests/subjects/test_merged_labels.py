"""Data of fewer labels than the model has: any output that the data does not tell apart is right (HANS)."""

import math

import polars as pl
import pytest
import torch
from fixtures import cases
from fixtures.classifiers import classifier

from study.record.errors import InputError
from study.record.examples import Examples
from study.record.loss import Loss
from study.record.metrics import Answers, metric
from study.subjects.labels import outputs_by_label, require_labels

MERGED = {"neutral": "non-entailment", "contradiction": "non-entailment"}


@pytest.fixture
def examples() -> Examples:
    texts = tuple((" ".join(f"w{i}" for i in range(k, k + 4)),) for k in range(12))
    targets = tuple(("entailment", "non-entailment")[k % 2] for k in range(12))
    return Examples(tuple(map(str, range(12))), texts, targets, merged=MERGED)


def test_the_largest_output_decides_and_either_is_right(examples: Examples) -> None:
    subject = classifier("bert")
    rows = subject.encode(examples)
    logits = subject.logits(rows).detach()
    columns = subject.columns(logits, rows)
    probability = logits.softmax(-1)
    names = [MERGED.get(label, label) for label in subject.labels]
    for k, target in enumerate(examples.targets):
        right = [i for i, name in enumerate(names) if name == target]
        assert columns["correct"][k] == (int(logits[k].argmax()) in right)
        assert columns["loss"][k] == pytest.approx(-math.log(probability[k, right].sum()), abs=1e-5)
    by_metric = metric("accuracy", Answers(labels=subject.labels, merged=MERGED))

    counted = by_metric.count(pl.DataFrame({"prediction": columns["prediction"], "target": examples.targets}))
    assert counted[:, 0].tolist() == columns["correct"].tolist()


def test_its_gradient_is_that_of_the_joint_probability(examples: Examples) -> None:
    subject = classifier("bert")
    rows = subject.encode(examples)[1:2]
    full = subject.layout.full()[None]
    gradient = subject.gradients(rows, full)["gradient"][0]
    step, xi = 1e-2, torch.ones(2, full.shape[1])
    xi[0, 0], xi[1, 0] = 1 + step, 1 - step
    with subject.gate.masked(xi), torch.no_grad():
        up, down = subject.losses([*rows, *rows])
    assert gradient[0] == pytest.approx(float(up - down) / (2 * step), rel=2e-2, abs=1e-5)


def test_smoothed_the_wrong_outputs_share_what_is_taken_away(examples: Examples) -> None:
    subject = classifier("bert")
    rows = subject.encode(examples)
    logp = subject.logits(rows).detach().log_softmax(-1)
    smoothed = subject.losses(rows, Loss.parse("label_smoothed_0.1")).detach()
    names = [MERGED.get(label, label) for label in subject.labels]
    for k, target in enumerate(examples.targets):
        right = [i for i, name in enumerate(names) if name == target]
        wrong = [i for i in range(3) if i not in right]
        expected = -0.9 * logp[k, right].logsumexp(0) - 0.1 * logp[k, wrong].mean()
        assert smoothed[k] == pytest.approx(float(expected), abs=1e-5)


def test_what_is_merged_belongs_to_what_the_examples_are(examples: Examples) -> None:
    plain = Examples(examples.ids, examples.texts, examples.targets)
    assert plain.digest != examples.digest
    assert examples.take([1, 2]).merged == MERGED


def test_labels_of_neither_are_refused() -> None:
    assert outputs_by_label(cases.LABELS, MERGED) == {"entailment": (0,), "non-entailment": (1, 2)}
    require_labels(["non-entailment", "entailment"], cases.LABELS, MERGED)
    with pytest.raises(InputError, match=r"labels \['neutral'\] are not the model's"):
        require_labels(["neutral"], cases.LABELS, MERGED)
