"""Estimates of sets of heads against the whole truth: all 65,536 sets of the toy classifier's heads on 100 examples.

The toy is trained and measured for it, which takes about half an hour; HEADS_TOY_TRUTH may name a results folder in
which `measure=train` and `measure=shapley measure.coalitions=65534` with `data.limit=100` have run.
"""

import os
from pathlib import Path

import numpy as np
import pytest
from toy_truth import (
    FULL,
    SETS,
    UNITS,
    Truth,
    contexts,
    groups_of,
    interaction_errors,
    kernel_errors,
    numbers,
    read_truth,
    screening,
    search_ends,
    semivalue_errors,
    truth_folder,
)

from study.config import compose
from study.jobs.task import StudyTask
from study.record.designs.coalitions import all_coalitions
from study.record.designs.estimates import all_pairs_matrix, all_sets_matrix

pytestmark = pytest.mark.exhaustive


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if there := os.environ.get("HEADS_TOY_TRUTH"):
        return Path(there)
    folder = tmp_path_factory.mktemp("truth")
    toy = ["model=toy_classifier", "data=toy_matched", f"results={folder}", f"model.training.folder={folder / 'toy'}"]
    every = ["data.limit=100", "measure=shapley", f"measure.coalitions={2**UNITS - 2}"]
    for more in (["measure=train"], every):
        StudyTask()(compose(*toy, "device=cpu", "threads=1", *more))
    return folder


@pytest.fixture(scope="module")
def truths(measured: Path) -> dict[str, Truth]:
    return read_truth(measured)[0]


@pytest.mark.parametrize("scale", ["score", "loss"])
def test_all_sets_give_the_values_and_interactions_of_the_definitions(truths: dict[str, Truth], scale: str) -> None:
    truth, on = truths[scale], all_coalitions(UNITS)
    at = numbers(on)
    assert np.array_equal(np.sort(at), SETS)
    np.testing.assert_allclose(all_sets_matrix(on).matrix @ truth.scores[at], truth.values, atol=1e-9)
    near = all_sets_matrix(on, 0.9).matrix @ truth.scores[at]
    np.testing.assert_allclose(near, truth.semivalues(0.9), atol=1e-9)
    np.testing.assert_allclose(all_pairs_matrix(on).matrix @ truth.scores[at], truth.interactions[0], atol=1e-9)
    assert truth.values.sum() == pytest.approx(truth.scores[FULL] - truth.scores[0])


@pytest.mark.parametrize("scale", ["score", "loss"])
def test_intervals_of_samples_hold_the_true_values_and_errors_fall_with_the_root(
    truths: dict[str, Truth], scale: str
) -> None:
    few, many = (kernel_errors(truths[scale], number, 30) for number in (400, 1600))
    for found in (few, many, semivalue_errors(truths[scale], 500, 30)):
        assert 0.92 <= found["held"] <= 0.985
    assert few["error"] / many["error"] == pytest.approx(2, rel=0.2)
    assert many["error"] < truths[scale].values.std() / 8


def test_interactions_by_log_likelihood_are_known_from_thousands_of_coalitions(truths: dict[str, Truth]) -> None:
    few, many = (interaction_errors(truths["loss"], number, 10) for number in (1000, 2000))
    assert many < few < contexts(truths["loss"])["SD of averages"] / 2


def test_screening_finds_the_largest_average_effects_once_masks_are_many(truths: dict[str, Truth]) -> None:
    few, many = (screening(truths["loss"], masks, 30, most=3) for masks in (12, 400))
    assert many["of three"] > 0.8
    assert few["of three"] < many["of three"]


@pytest.mark.parametrize("lose", [1.0, 2.0, 5.0])
def test_searches_end_at_the_smallest_set_or_some_units_above(
    measured: Path, truths: dict[str, Truth], lose: float
) -> None:
    ends = search_ends(truths["score"], groups_of(truth_folder(measured)), lose, 20)
    more = [end.kept - end.smallest for end in ends]
    assert min(more) >= 0, "nothing is smaller than the smallest"
    assert np.mean(more) <= 3
    assert np.mean([end.lost for end in ends]) > lose, "what so few examples chose loses more elsewhere"
