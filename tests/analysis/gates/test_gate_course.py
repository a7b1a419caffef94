"""Gates over the steps: probabilities against samples, numbers of gates by hand, files that are damaged."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from made_trainings import CONSTANTS, LEARNED, SUBSET, UNPRUNED, fill_gated

from analysis import read_results
from analysis.gates import Gates, gates
from analysis.gates.course import end_chances
from analysis.inference import Inference
from study.gates.options import Subset
from study.gates.subset import SubsetGates
from study.record.units import AttentionKind, HeadLayout


def found_in(results: Path) -> Gates:
    found = gates(read_results(results), Inference(resamples=100))
    assert found is not None
    return found


@pytest.mark.parametrize("constants", [CONSTANTS, {"beta": 2 / 3, "gamma": -0.2, "zeta": 1.3}])
@pytest.mark.parametrize("log_alpha", [-1.5, 0.0, 0.7])
def test_probabilities_are_the_shares_of_sampled_gates(log_alpha: float, constants: dict[str, float]) -> None:
    noise = np.random.default_rng(0).uniform(size=400_000)
    logits = (np.log(noise) - np.log1p(-noise) + log_alpha) / constants["beta"]
    stretched = constants["gamma"] + (constants["zeta"] - constants["gamma"]) / (1 + np.exp(-logits))
    zero, one = end_chances(np.array([log_alpha]), **constants)
    assert zero[0] == pytest.approx((stretched <= 0).mean(), abs=0.004)
    assert one[0] == pytest.approx((stretched >= 1).mean(), abs=0.004)


def test_a_row_for_each_moment_counts_the_gates(results: Path) -> None:
    fill_gated(results, LEARNED, range(5), moments=11)
    fill_gated(results, SUBSET, range(4), moments=11)
    fill_gated(results, UNPRUNED, range(16))
    found = found_in(results)
    learned, subset = (found.course.filter(method=name) for name in ("Hard Concrete gates", "learned subset"))
    assert learned["step"].to_list() == list(range(0, 201, 20))
    assert learned["kept"].to_list() == [16] * 4 + [5] * 7, "log alpha of 11 gates falls from 2 to -4, below 0 after 80"
    assert learned["undecided"][0] == 16, "log alpha 2 is 1 with a probability of .77"
    assert learned["undecided"][-1] == 0
    assert set(subset["kept"]) == {4}
    assert (learned["settled"] <= learned["kept"]).all()
    assert learned["settled"][-1] == 5
    assert subset["settled"][-1] == 4, "all that it keeps at the end"
    assert subset["undecided"].null_count() == 11
    (first,) = (own for own in found.courses if own.training.method.name == "hard_concrete")
    assert learned["open"].to_list() == pytest.approx(first.open.sum(axis=1).tolist())
    assert learned["penalty"][0] == pytest.approx(0.05 * first.open[0].sum())


def test_a_damaged_course_is_named_and_the_rest_is_shown(results: Path) -> None:
    fill_gated(results, LEARNED, range(5), moments=3)
    (file,) = (results / "trainings").glob("*/gates.jsonl")
    file.write_text(file.read_text().replace('"step": 0', '"step": 1'))
    found = found_in(results)
    assert found.course.is_empty()
    assert found.kept.height == 1
    assert any("is no whole course of gates" in line for line in found.warnings)


def test_a_subset_with_one_of_each_kind_counts_the_largest_of_each_first(results: Path) -> None:
    layout = HeadLayout({AttentionKind.ENCODER_SELF: (4,), AttentionKind.CROSS: (2,)})
    options = {**SUBSET, "keep": 2, "one_a_kind": True}
    fill_gated(results, options, [0, 4], layout=layout, moments=2)
    (course,) = found_in(results).courses
    values = np.array([[3.0, 1.0, 2.0, 0.0, -2.0, -1.0]] * 2)
    gates_ = SubsetGates(Subset(keep=2, one_a_kind=True), layout.heads, 0)
    gates_.weights.data = torch.tensor(values[0])
    kept = replace(course, log_alpha=values).kept
    assert kept.tolist() == [gates_.keeps().tolist()] * 2 == [[True, False, False, False, False, True]] * 2
