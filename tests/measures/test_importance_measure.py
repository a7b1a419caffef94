"""The measure `importance`: what it asks for, as a job through the store."""

import numpy as np
import pytest
import torch
from fixtures.jobs import NUM_PAIRS, overrides, write_pairs

from study.config import compose, to_study
from study.jobs.measuring import MeasuringJob
from study.jobs.plan import missing_rows
from study.jobs.task import StudyTask
from study.record.errors import InputError
from study.record.importance import Estimator, Normalisation, importance
from study.record.loss import PLAIN, Loss
from study.record.tables import GRADIENTS


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


def test_gradients_of_two_losses_never_mix(place) -> None:
    smoothed = ["measure.loss=label_smoothed", "measure.epsilon=0.3", "data.limit=12"]
    config = compose(*overrides(place, "measure=importance", *smoothed))
    StudyTask()(compose(*overrides(place, "measure=importance", "data.limit=12")))
    assert StudyTask().remaining(config) == 12
    assert StudyTask()(config)["computed"] == 12
    assert StudyTask().remaining(config) == 0
    evaluator = MeasuringJob(to_study(config)).evaluator
    full = evaluator.layout.full()[None]
    plain, other = (evaluator.gradients(full, loss) for loss in (PLAIN, Loss(0.3)))
    assert evaluator.computed == 0
    rows, masks = evaluator.encoded, np.repeat(full, 12, axis=0)
    for table, loss in ((plain, PLAIN), (other, Loss(0.3))):
        expected = evaluator.engine.subject.gradients(rows, masks, loss)
        assert table["gradient"].to_numpy() == pytest.approx(expected["gradient"], abs=1e-5)
    assert not np.allclose(plain["gradient"].to_numpy(), other["gradient"].to_numpy(), atol=1e-3)


@pytest.mark.parametrize(
    ("labels", "says"),
    [
        (["-"] * NUM_PAIRS, "all 120 rows have a label to skip"),
        ([""] * NUM_PAIRS, "'label' is empty"),
        (["maybe"] * NUM_PAIRS, "maybe"),
    ],
)
def test_data_without_labels_for_a_loss_are_refused_before_any_work(place, labels: list[str], says: str) -> None:
    write_pairs(place / "pairs.tsv", ["w1"] * (2 * NUM_PAIRS), labels)
    with pytest.raises(InputError, match=says):
        StudyTask().check(compose(*overrides(place, "measure=importance")))
    (place / "pairs.tsv").write_text("id\tpremise\thypothesis\n1\tw1\tw2\n")
    with pytest.raises(InputError, match="label"):
        StudyTask().check(compose(*overrides(place, "measure=importance")))
    assert not (place / "results").exists()


def test_a_wrong_epsilon_is_refused(place) -> None:
    with pytest.raises(InputError, match="measure.epsilon=1"):
        StudyTask()(
            compose(*overrides(place, "measure=importance", "measure.loss=label_smoothed", "measure.epsilon=1"))
        )


def test_a_plan_counts_gradients(place) -> None:
    done = StudyTask()(compose(*overrides(place, "measure=importance", "plan=true")))
    assert (done["masks"], done["missing"]) == (1, 2 * NUM_PAIRS)
    assert not list((place / "results").rglob("gradients-*"))


def test_importance_is_that_of_single_gradients(place) -> None:
    """Against autograd on a hook of the test's own, one example at a time."""
    study = to_study(compose(*overrides(place, "measure=importance", "data.limit=6")))
    evaluator = MeasuringJob(study).evaluator
    study.measure.run(evaluator)
    assert missing_rows(evaluator, study.measure.request(evaluator))[GRADIENTS] == 0
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
    assert evaluator.layout.full_key == "1" * 8
