"""How often intervals of variance components hold the truth, for 3, 5 and 10 seeds (a table in docs/statistics.md)."""

from dataclasses import replace

import numpy as np
import pytest
from simulated_grids import Truth, coverage, without_heads

from analysis.components import intervals

PLAIN = Truth(groups=60)
NOISY = replace(PLAIN, sd=(0.3, 0.3, 0.2, 0.8, 0.2), shared=1.0, own=0.3)


@pytest.mark.exhaustive
@pytest.mark.parametrize("by_reml", [False, True], ids=["moments", "reml"])
@pytest.mark.parametrize("seeds", [3, 5, 10])
@pytest.mark.parametrize("truth", [PLAIN, NOISY, without_heads(PLAIN)], ids=["plain", "noisy", "no heads"])
def test_intervals_hold_the_truth_at_least_as_often_as_they_say(
    truth: Truth, seeds: int, by_reml: bool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """With three seeds they would hold too, and be too wide to say anything: none is shown."""
    monkeypatch.setattr(intervals, "FEWEST_SEEDS", 3)
    found = coverage(replace(truth, seeds=seeds), 300, np.random.default_rng(seeds), by_reml=by_reml)
    told = {name: (round(held, 3), round(width, 2)) for name, (held, width) in found.items()}
    with capsys.disabled():
        print(f"\n{seeds} seeds{', REML' * by_reml}:", told)
    assert min(held for held, _ in found.values()) > 0.92
