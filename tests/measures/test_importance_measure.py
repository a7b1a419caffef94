"""The measure `importance`: what it asks for, as a job through the store, and a closed form of linear attention."""

import numpy as np
import pytest
import torch
from jobs import NUM_PAIRS, overrides

from study.config import compose, to_study
from study.heads import mask_key
from study.importance import Estimator, Normalisation, importance
from study.job import StudyTask, open_evaluator
from study.plan import missing_rows
from study.store import Table


def test_stores_gradients_once_and_says_what_is_left(place) -> None:
    config = compose(*overrides(place, "measure=importance"))
    StudyTask()(compose(*overrides(place, "measure=base")))
    assert StudyTask().remaining(config) == NUM_PAIRS
    assert StudyTask().estimate(config) is None, "no gradient was ever timed"
    assert StudyTask()(config)["computed"] == NUM_PAIRS
    assert StudyTask()(config)["computed"] == 0
    assert StudyTask().remaining(config) == 0
    assert StudyTask().estimate(config) == 0
    each = compose(*overrides(place, "measure=importance", "measure.each_head_off=true"))
    assert StudyTask().remaining(each) == 8 * NUM_PAIRS
    assert StudyTask().estimate(each) > 0


def test_a_plan_counts_gradients(place) -> None:
    done = StudyTask()(compose(*overrides(place, "measure=importance", "plan=true")))
    assert (done["masks"], done["missing"]) == (1, 2 * NUM_PAIRS)
    assert not list((place / "results").rglob("gradients-*"))


def test_importance_is_that_of_single_gradients(place) -> None:
    """Against autograd on a hook of the test's own, one example at a time."""
    study = to_study(compose(*overrides(place, "measure=importance", "data.limit=6")))
    evaluator = open_evaluator(study)
    study.measure.run(evaluator)
    assert missing_rows(evaluator, study.measure.wanted(evaluator))[Table.GRADIENTS] == 0
    found = importance(
        evaluator.gradients(evaluator.layout.full()[None]), evaluator.layout, Estimator.paper, Normalisation.none
    )
    subject = evaluator.engine.subject
    sizes = []
    for row in evaluator.encoded:
        xi = torch.ones(1, len(evaluator.layout), requires_grad=True)
        with torch.enable_grad(), subject.gate.masked(xi):
            subject.losses([row]).sum().backward()
        assert xi.grad is not None
        sizes.append(xi.grad[0].abs().numpy())
    assert found == pytest.approx(np.mean(sizes, axis=0), rel=1e-3, abs=1e-6)
    assert mask_key(evaluator.layout.full()) == "1" * 8
