"""Screening: the lasso on games that are known, and the measure `screen` as a job."""

from pathlib import Path

import numpy as np
import pytest
from fixtures.jobs import overrides

from study.config import compose, to_study
from study.jobs.task import StudyTask
from study.measures.sets.screen import Screen
from study.record.designs import DesignKind, read_designs
from study.record.designs.coalitions import independent_coalitions
from study.record.designs.screening import rival_units, screened_units
from study.record.errors import InputError
from study.record.setting import read_setting
from study.record.units import AttentionKind, HeadLayout

TASK = StudyTask()


def test_few_random_masks_find_the_few_units_that_cost_something() -> None:
    """Five of 300 units cost something, one pair of them more together; 120 masks, a tenth of the units off in each."""
    on = independent_coalitions(300, 120, 0.9, seed=1)
    off = (~on).astype(float)
    worth = {7: 1.0, 40: 0.8, 41: 0.6, 150: 1.2, 299: 0.7}
    costs = sum(value * off[:, unit] for unit, value in worth.items()) + 0.5 * off[:, 40] * off[:, 41]
    costs = costs + np.random.default_rng(2).normal(0, 0.05, len(on))
    found, coefficients = screened_units(on, costs, 5)
    assert set(found) == set(worth)
    assert coefficients[150] == pytest.approx(1.2, abs=0.2)
    assert screened_units(on, costs, 2)[0] == [150, 7]


def test_masks_that_change_nothing_point_at_nothing() -> None:
    found, coefficients = screened_units(independent_coalitions(30, 20, 0.9, seed=0), np.ones(20), 5)
    assert (found, coefficients.tolist()) == ([], [0.0] * 30)


def test_rivals_take_as_many_masks() -> None:
    drawn, important = rival_units(list(range(50))[::-1], 12, seed=4)
    assert len(set(drawn)) == 12
    assert important == list(range(49, 37, -1))
    assert drawn != rival_units(list(range(50)), 12, seed=5)[0]


def test_what_is_screened_gets_a_mask_of_its_own_and_so_do_its_rivals(place: Path) -> None:
    job = compose(*overrides(place, "measure=screen", "measure.masks=6", "measure.rate=0.3", "measure.confirmed=2"))
    assert TASK(job)["computed"] > 0
    assert (TASK.remaining(job), TASK(job)["computed"]) == (0, 0)
    (folder,) = (path.parent for path in (place / "results").glob("*/*/*/setting.json"))
    layout = read_setting(folder).layout
    sample, chosen = (each for each in read_designs(folder, layout)[0] if each.kind in ("coalition", "set"))
    assert sample.options == {"sampling": "independent", "kept": 0.7}
    assert chosen.kind is DesignKind.SET
    assert {chosen.on[number].sum() for number in range(len(chosen))} == {7}
    screened = chosen.names.count("screened")
    assert screened <= 2
    assert chosen.names.count("random") == chosen.names.count("important") == min(6 + screened, 8)
    assert len(chosen.examples) == 120


LAYOUT = HeadLayout({AttentionKind.ENCODER_SELF: [4, 4]})


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (
            {"random_masks": 9},
            r"a mask for each of the 8 heads, .* takes 9 and gives every effect: take measure=ablation",
        ),
        ({"random_masks": 1}, "measure.masks must be at least 2"),
        ({"random_masks": 5, "rate": 1.0}, "measure.rate=1: each unit is off with a probability between 0 and 1"),
        ({"random_masks": 5, "kinds": [AttentionKind.CROSS]}, "no cross attention"),
    ],
)
def test_what_is_no_screening_is_refused(options: dict, says: str) -> None:
    with pytest.raises(InputError, match=says):
        Screen(**options).check(LAYOUT)


def test_masks_are_asked_for_by_the_name_that_people_type() -> None:
    study = to_study(compose("model=toy_classifier", "data=toy_matched", "measure=screen", "measure.masks=12"))
    assert isinstance(study.measure, Screen)
    assert study.measure.random_masks == 12
