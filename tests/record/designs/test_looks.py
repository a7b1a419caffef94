"""Looks at a growing sample: which numbers, what intervals pay, and how they are kept while the sample grows."""

from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from study.record.designs import Design, DesignKind, write_design
from study.record.designs.coalitions import all_coalitions, kernel_coalitions
from study.record.designs.estimates import all_sets_matrix, kernel_matrix
from study.record.designs.files import keeps_design, read_design
from study.record.designs.looks import Looks, level, planned_looks
from study.record.designs.values import Values
from study.record.units import UnitLevel

UNITS = tuple(f"encoder_self.0.{i}" for i in range(6))
LOOKS = Looks((20, 40, 80), 0.5)


def sample(number: int, looks: Looks | None = None) -> Design:
    on = kernel_coalitions(len(UNITS), number, 0)
    return Design(DesignKind.COALITION, UnitLevel.head, UNITS, on, {"sampling": "kernel"}, 0, looks=looks)


def kept(folder: Path) -> Design:
    (file,) = (folder / "designs").glob("*.json")
    return read_design(file, folder.name)


@pytest.mark.parametrize(
    ("units", "most", "at"),
    [
        (72, 2000, (250, 500, 1000, 2000)),
        (144, 2000, (500, 1000, 2000)),
        (16, 1000, (126, 250, 500, 1000)),
        (16, 20, (20,)),
        (72, 100, (100,)),
    ],
)
def test_looks_are_halves_of_halves_but_for_those_that_are_too_early(units: int, most: int, at: tuple) -> None:
    assert planned_looks(units, most) == at


def test_the_chance_of_an_error_is_divided_by_all_looks_stated() -> None:
    assert level(None, 500, 0.05) == 0.05
    assert level(LOOKS, 20, 0.05) == pytest.approx(0.05 / 3)
    assert level(LOOKS, 80, 0.05) == pytest.approx(0.05 / 3)
    assert level(LOOKS, 100, 0.05) == pytest.approx(0.05 / 4), "a later job went on"


def test_a_sample_that_grows_remembers_its_looks(tmp_path: Path) -> None:
    write_design(sample(20, LOOKS), tmp_path)
    write_design(sample(40, LOOKS), tmp_path)
    assert (len(kept(tmp_path)), kept(tmp_path).looks) == (42, LOOKS)
    write_design(sample(200), tmp_path)  # measure.coalitions=200, without a width
    assert (len(kept(tmp_path)), kept(tmp_path).looks) == (202, LOOKS)
    more = Looks((100, 200, 400), 0.3)
    write_design(sample(100, more), tmp_path)
    assert (len(kept(tmp_path)), kept(tmp_path).looks) == (202, Looks((20, 40, 80, 100, 200, 400), 0.3))
    assert keeps_design(sample(40, LOOKS), tmp_path), "a smaller width is kept"
    assert keeps_design(sample(100, Looks((100, 200, 400), 0.2)), tmp_path) is False, "a smaller one is asked for"
    assert keeps_design(sample(40, Looks((20, 60), 0.5)), tmp_path) is False, "a look that is not paid for"
    assert keeps_design(sample(200), tmp_path)


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_of_two_widths_of_one_sample_both_are_kept(tmp_path: Path, order: tuple[int, int]) -> None:
    """Whichever job comes last, nothing is left of either: the wide one stopped early, the narrow one took all."""
    both = sample(20, Looks((20, 40, 80), 0.5)), sample(80, Looks((20, 40, 80), 0.1))
    for number in order:
        write_design(both[number], tmp_path)
    assert all(keeps_design(design, tmp_path) for design in both)
    assert (len(kept(tmp_path)), kept(tmp_path).looks) == (82, Looks((20, 40, 80), 0.1))


def test_a_sample_of_a_fixed_number_pays_for_no_look_within_it(tmp_path: Path) -> None:
    write_design(sample(60), tmp_path)
    write_design(sample(20, LOOKS), tmp_path)
    assert (len(kept(tmp_path)), kept(tmp_path).looks) == (62, None)
    write_design(sample(80, LOOKS), tmp_path)
    assert (len(kept(tmp_path)), kept(tmp_path).looks) == (82, LOOKS)


def test_files_without_looks_are_written_and_read_as_before(tmp_path: Path) -> None:
    write_design(sample(20), tmp_path)
    assert kept(tmp_path).looks is None
    assert "looks" not in sample(20).to_json()
    assert sample(20).id == sample(80, LOOKS).id


def test_the_variance_of_values_is_that_of_both_draws_by_hand() -> None:
    """Leave out each pair of coalitions, and each group, by computing all anew; their crossing taken off once."""
    rng = np.random.default_rng(0)
    on = kernel_coalitions(4, 40, 1)
    groups = rng.normal(size=(9, len(on))) + on @ np.arange(4.0)  # the mean of groups of one size
    scores = groups.mean(axis=0)
    without = (groups.sum(axis=0) - groups) / 8
    estimate = kernel_matrix(on)
    values = Values.of(estimate, scores, [without[:2], without[2:]])
    pairs = [np.delete(np.arange(len(on)), [2 + 2 * k, 3 + 2 * k]) for k in range(20)]
    anew = np.array([kernel_matrix(on[some]).matrix @ scores[some] for some in pairs])
    np.testing.assert_allclose(values.by_coalitions**2, 19 * anew.var(axis=0), rtol=1e-8)
    each = np.array([estimate.matrix @ own for own in without])
    np.testing.assert_allclose(values.by_examples**2, 8 * each.var(axis=0), rtol=1e-8)
    assert values.degrees == 8
    half = stats.t.ppf(0.975, 8) * values.error
    np.testing.assert_allclose(values.half_width(0.05), half)
    np.testing.assert_allclose(values.interval(0.05), [values.values - half, values.values + half])


def test_what_examples_leave_open_is_known_from_few_coalitions() -> None:
    """The error by examples less what falls with the coalitions is that of all sets, whatever the sample."""
    units, groups = 6, 300
    rng = np.random.default_rng(3)
    every, few = all_coalitions(units), kernel_coalitions(units, 60, 2)
    third = rng.normal(size=(groups, units, units, units)) / 6
    worth = rng.normal(size=(groups, units)) * np.linspace(0.5, 2, units)

    def without(on: np.ndarray) -> np.ndarray:
        each = on @ worth.T + np.einsum("ka,kb,kc,gabc->kg", *[on.astype(float)] * 3, third)
        return ((each.sum(axis=1, keepdims=True) - each) / (groups - 1)).T

    exact = Values.of(all_sets_matrix(every), without(every).mean(axis=0), [without(every)])
    found = Values.of(kernel_matrix(few), without(few).mean(axis=0), [without(few)])
    assert (exact.by_both == 0).all()
    left = np.sqrt(np.maximum(found.by_examples**2 - found.by_both**2, 0))
    np.testing.assert_allclose(left, exact.by_examples, rtol=0.25)
    assert (left <= found.by_examples).all()
