"""Names of jobs: overrides as people type them."""

import pytest

from launchers.sweep.sweep import shown


@pytest.mark.parametrize(
    ("override", "typed"),
    [
        ("model.training.seed=1", "model.training.seed=1"),
        ("gates@model.training.gates=none", "model.training.gates=none"),
        ("measure/order@model.training.gates.order=random", "model.training.gates.order=random"),
        ("measure/order=random", "measure.order=random"),
        ("data.path=a/b@c=d", "data.path=a/b@c=d"),
    ],
)
def test_a_choice_of_a_group_is_shown_by_the_option_that_it_fills(override: str, typed: str) -> None:
    assert shown(override) == typed
