import pytest

from study.engine.precision import Precision
from study.record.errors import InputError
from study.record.loss import DRAFTED, PLAIN, Loss, LossName, chosen_loss, drafted_losses


@pytest.mark.parametrize(("loss", "name"), [(PLAIN, "plain"), (Loss(0.1), "label_smoothed_0.1")])
def test_a_loss_and_its_name(loss: Loss, name: str) -> None:
    assert str(loss) == name
    assert Loss.parse(name) == loss


def test_the_options_of_a_measure_choose_it() -> None:
    assert chosen_loss(LossName.plain, 0.1) == PLAIN
    assert chosen_loss(LossName.label_smoothed, 0.2) == Loss(0.2)
    for epsilon in (0.0, 1.0, -0.1):
        with pytest.raises(InputError, match=r"measure.epsilon=.*a share between 0 and 1"):
            chosen_loss(LossName.label_smoothed, epsilon)


@pytest.mark.parametrize(
    ("precision", "how"),
    [
        ("float32", ""),
        ("bfloat16", ""),
        ("float16", ""),
        ("screened|sample:64|safety:2|audit:100", "in bfloat16"),
        ("cascade|sample:100", "to first order"),
    ],
)
def test_losses_that_are_drafts_by_precision(precision: str, how: str) -> None:
    assert drafted_losses(precision) == how


def test_every_precision_with_drafts_is_one_that_there_is() -> None:
    assert set(DRAFTED) == {str(one) for one in Precision} - {"float32", "bfloat16"}
