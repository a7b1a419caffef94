"""Values of a job that make no sense are refused, and only these."""

from pathlib import Path

import pytest

from study.config import compose
from study.jobs.task import StudyTask
from study.record.errors import InputError
from study.training.training import Training

TOY = "model=toy_classifier data=toy_matched"


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["measure=base", "measure.kinds=[CROSS]"], "measure.kinds has no effect here: it chooses heads to mask"),
        (["measure=train", "measure.kinds=[CROSS]"], "measure.kinds has no effect here: it chooses heads to mask"),
        (["measure=importance", "measure.kinds=[CROSS]"], "measure.kinds has no effect here: .*each_head_off=true"),
        (
            ["measure=importance", "measure.epsilon=0.2"],
            "measure.epsilon has no effect here: it is of measure.loss=lab",
        ),
        (
            ["measure=pruning_random", "measure.loss=label_smoothed"],
            "measure.loss has no effect here: it is of measure.order=importance or ablation_loss or reestimated, and t",
        ),
        (["measure=pruning", "+measure.order.seeds=9"], "measure.order.seeds is an option of random"),
        (["screening.sample=9"], "screening.sample has no effect here: it is of precision=screened"),
        (["cascade.bound=0.01"], "cascade.bound has no effect here: it is of precision=cascade"),
        (["precision=cascade", "screening.audit=0.1"], "screening.audit has no effect here: it is of precision=screen"),
        (
            ["precision=screened", "data.metric=loss"],
            "data.metric=loss is of losses or log-likelihoods, and",
        ),
        (["+model.path=x"], "model.path is an option of .*hf_classifier"),
        (["+nothing=x"], "there is no option 'nothing'"),
        (
            ["model.training.keep=[1,5]"],
            r"training.keep has 5, and the training ends after epoch 4: .*keep=\[1\] keeps",
        ),
        (["model.training.keep=[1,2]", "model.training.epochs=0"], "training.epochs=0: expected 1 or more"),
    ],
)
def test_an_option_that_would_change_nothing_is_refused(words: list[str], says: str) -> None:
    with pytest.raises(InputError, match=says):
        StudyTask().check(compose(*TOY.split(), *words))


@pytest.mark.parametrize(
    "words",
    [
        ["measure=importance", "measure.loss=label_smoothed", "measure.epsilon=0.2"],
        ["measure=importance", "measure.each_head_off=true", "measure.kinds=[ENCODER_SELF]"],
        ["measure=pruning_random", "measure.seeds=10"],
        ["measure=pruning", "measure.order=ablation_loss", "measure.loss=label_smoothed", "measure.epsilon=0.2"],
        ["precision=screened", "screening.sample=9"],
        ["precision=cascade", "cascade.sample=9"],
        ["model.training.keep=[1,4]"],
        ["+model.expected={other:{score:1,tolerance:2}}"],
    ],
)
def test_an_option_that_is_used_is_taken(words: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SIXTEEN_HEADS_CACHE", str(tmp_path))
    StudyTask().check(compose(*TOY.split(), *words))


def test_a_revision_is_of_the_hub(tmp_path: Path) -> None:
    config = compose("model=hf_classifier", f"model.path={tmp_path}", "data=toy_matched", "model.revision=main")
    with pytest.raises(InputError, match=r"model.revision has no effect here: .* is a folder"):
        StudyTask().check(config)


def test_the_epochs_to_keep_are_the_ones_at_fault() -> None:
    with pytest.raises(InputError, match="training.keep has 2, 3"):
        Training(epochs=1, keep=[0.5, 2.0, 3.0]).check()
