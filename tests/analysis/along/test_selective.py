"""Heads that matter on one task and not on another: scaled effects by simulation, and verdicts on planted heads."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest
from fixtures.language_results import every_unit, fill_language

from analysis import Inference, analyse, read_results
from analysis.along.selective import scaled, scaled_differences
from analysis.along.words import selective_words
from analysis.correlation.shared_examples import SharedGroups, disjoint
from analysis.correlation.true_correlation import NoisyEffects
from analysis.results.read import scored_by
from study.record.units import AttentionKind, HeadLayout, UnitLevel

HEADS, GROUPS = 24, 40
TRUE = np.random.default_rng(3).gamma(0.5, 1.0, HEADS)


def measured(true: np.ndarray, noise: np.ndarray, name: str = "a") -> NoisyEffects:
    """Effects that are means over groups of examples: true ones and noise, groups by heads."""
    own = true + noise
    return NoisyEffects(name, own.mean(axis=0), (own.sum(axis=0) - own) / (len(own) - 1))


def test_the_scale_is_the_root_mean_square_of_true_effects() -> None:
    rng = np.random.default_rng(0)
    scales = [scaled(measured(TRUE, rng.normal(0, 2, (GROUPS, HEADS)))).scale for _ in range(200)]
    assert np.mean(np.square(scales)) == pytest.approx(np.square(TRUE).mean(), rel=0.02)


@pytest.mark.parametrize("shared", [False, True])
def test_equal_heads_on_other_scales_seldom_differ_and_intervals_hold(shared) -> None:
    """Effects on one task are three times those on the other; with shared examples their noise is much the same."""
    rng, runs, held, rejected = np.random.default_rng(1), 150, [], []
    places = np.arange(GROUPS)
    groups = SharedGroups(GROUPS, GROUPS, places, places) if shared else disjoint(GROUPS, GROUPS)
    for _ in range(runs):
        one = rng.normal(0, 2, (GROUPS, HEADS))
        other = (one if shared else rng.normal(0, 2, (GROUPS, HEADS))) + rng.normal(0, 0.5, (GROUPS, HEADS))
        found = scaled_differences(measured(TRUE, one), measured(3 * TRUE, 3 * other, "b"), groups, 0.95)
        held.append((found.low <= 0) & (found.high >= 0))
        rejected.append((found.p_corrected <= 0.05).any())
    assert np.mean(held) == pytest.approx(0.95, abs=0.02)
    assert np.mean(rejected) < 0.05 + 3 * np.sqrt(0.05 * 0.95 / runs)


def test_what_has_no_scale_says_why() -> None:
    rng = np.random.default_rng(2)
    good = measured(TRUE, rng.normal(0, 1, (GROUPS, HEADS)))
    few = measured(TRUE, rng.normal(0, 1, (5, HEADS)), "text")
    noisy = measured(0 * TRUE, np.tile(rng.normal(0, 9, (GROUPS, 1)), HEADS) * rng.choice([-1, 1], HEADS), "noise")
    assert scaled_differences(good, few, disjoint(GROUPS, 5), 0.95) == "text has 5 groups of examples: a scale needs 10"
    assert "noise are not above their noise" in scaled_differences(noisy, good, disjoint(GROUPS, GROUPS), 0.95)


def test_planted_heads_are_found_on_their_task_alone(tmp_path: Path) -> None:
    layout = HeadLayout({AttentionKind.DECODER_SELF: (4, 4, 4)})
    masks = every_unit(layout, [UnitLevel.head])
    both = {(0,): 0.9, (5,): 0.5}
    fill_language(tmp_path, "ioi", costs=both | {(7,): 1.2}, masks=masks, layout=layout, count=90)
    fill_language(tmp_path, "wiki", texts=True, costs=both | {(10,): 1.2}, masks=masks, layout=layout, count=40)
    read = scored_by(read_results(tmp_path), ["loss", "bits_per_byte"])
    found = analyse(
        read, Inference(resamples=999, margin={"loss": 0.05, "bits_per_byte": 0.005}), splits=8, axes=["task"]
    ).along
    alone = found.selective.drop_nulls("selective")
    assert dict(alone.select(pl.format("L{}H{}", "layer", "head"), "selective").iter_rows()) == {
        "L1H3": "ioi",
        "L2H2": "wiki",
    }
    for row in found.selective.rows(named=True):
        for side in "ab":
            assert row[f"scaled_{side}"] == pytest.approx(row[f"effect_{side}"] / row[f"scale_{side}"])
        assert row["difference"] == pytest.approx(row["scaled_a"] - row["scaled_b"])
        assert (row["unit_a"], row["unit_b"]) == ("nats", "bits per byte")
    assert selective_words(found.selective) == [
        "1 of 12 heads matters on ioi and not on wiki (L1H3); 1 of 12 heads matters on wiki and not on ioi (L2H2)."
    ]
