import pytest

from study.record.errors import InputError
from study.record.loss import PLAIN, Loss, LossName, chosen_loss


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
