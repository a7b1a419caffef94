"""How many groups a verdict takes, beside simulated verdicts."""

import numpy as np
import pytest

from study.record.designs.sample_size import groups_needed


@pytest.mark.parametrize(("alpha", "expected"), [(0.05, 6183), (0.025, 7849)])
def test_tables_of_non_inferiority(alpha: float, expected: int) -> None:
    """A tenth of the answers changes and a point may be lost: .1 (z + z)^2 / .01^2, whatever the error is of."""
    for groups in (60, 500):
        error = 100 * np.sqrt(0.1 / groups)
        assert groups_needed(error, groups, 1.0, alpha) == pytest.approx(expected, abs=1)


def test_so_many_groups_show_it_four_times_of_five() -> None:
    spread, lose = 30.0, 2.0
    number = groups_needed(spread / np.sqrt(50), 50, lose)
    means = np.random.default_rng(0).normal(0.0, spread, (4000, number)).mean(axis=1)
    shown = means - 1.6449 * spread / np.sqrt(number) >= -lose
    assert shown.mean() == pytest.approx(0.8, abs=0.02)
