"""The command line, before Hydra reads it."""

import pytest

from study.__main__ import overrides_last


@pytest.mark.parametrize(
    ("typed", "given"),
    [
        ("model=a --multirun data=b,c", "--multirun model=a data=b,c"),
        ("-m model=a ~tracking", "-m model=a ~tracking"),
        ("+x=1 --cfg job y=2", "--cfg job +x=1 y=2"),
        ("prune model=a --config-dir conf out=b", "prune --config-dir conf model=a out=b"),
    ],
)
def test_overrides_may_stand_on_both_sides_of_a_flag(typed: str, given: str) -> None:
    assert overrides_last(typed.split()) == given.split()
