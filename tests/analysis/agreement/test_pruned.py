"""Kept sets of stored pruning curves: which heads are left where a curve is stopped, and who is compared with whom."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest
from fixtures.results import CLASSIFIER, curve_of

from analysis.__main__ import main
from analysis.agreement import Stop, kept_sets
from analysis.results.read import read_domain, read_results
from study.record.errors import InputError
from study.record.factors import Factors
from study.record.units import Head

HARM = np.linspace(0.0, 0.15, 16)


@pytest.fixture
def orders(make, results: Path) -> dict[int, list[Head]]:
    """Three seeds of a training with a curve of importance and of random order each; their orders by seed."""
    found = {}
    for seed in range(3):
        order = [CLASSIFIER.heads[i] for i in np.argsort(HARM + 0.02 * np.random.default_rng(seed).normal(size=16))]
        shuffled = list(np.random.default_rng(9 + seed).permutation(np.array(CLASSIFIER.heads, dtype=object)))
        make(
            model=f"toy-seed{seed}",
            weights_file=str(seed),
            factors=Factors("toy", "home", "float32", seed, 4.0),
            curves=[curve_of(order), curve_of(shuffled, order="random", seed=0)],
            weights=HARM,
            count=60,
        )
        found[seed] = order
    return found


def test_at_a_share_the_heads_that_come_last_are_kept(orders, results) -> None:
    (sets,) = kept_sets(read_results(results), "seed", Stop(share=0.5))
    assert (sets.task, sets.along, sets.raters) == ("toy, home, epoch 4, importance", "seed", ("0", "1", "2"))
    for kept, order in zip(sets.kept, orders.values(), strict=True):
        assert {head for head, on in zip(sets.heads, kept, strict=True) if on} == set(order[8:])


def test_a_curve_is_stopped_before_the_score_first_falls_too_far(orders, results) -> None:
    (sets,) = kept_sets(read_results(results), "seed", Stop(retain=0.8))
    for kept, folder in zip(sets.kept, sorted(results.glob("toy-seed*/home/*")), strict=True):
        domain = read_domain(folder)
        scores = {mask: 100 * rows["correct"].mean() for (mask,), rows in domain.rows.group_by("mask")}
        base = scores[domain.layout.full_key]
        (curve,) = [curve for curve in domain.curves if curve.order == "importance"]
        left = [
            mask for i, mask in enumerate(curve.masks) if all(scores[m] >= 0.8 * base for m in curve.masks[: i + 1])
        ]
        assert "".join("1" if on else "0" for on in kept) == left[-1]
        assert 0 < kept.sum() < 16


def test_what_cannot_be_compared_is_said(orders, results, capsys) -> None:
    with pytest.raises(
        InputError, match=r"no point of toy-seed0's pruning curve on home has 0.44 of the heads removed"
    ):
        kept_sets(read_results(results), "seed", Stop(share=0.44))
    with pytest.raises(InputError, match="retain must be between 0 and 1, not 90"):
        Stop(retain=90.0)
    assert main(["agree", str(results), "--along", "data"]) == 2
    assert "no pruning curve of one order at two values of data" in capsys.readouterr().err
    assert main(["agree", str(results), "--along", "sead"]) == 2
    assert "there is no axis 'sead'" in capsys.readouterr().err


def test_the_command_reads_a_results_folder(orders, results, tmp_path, capsys) -> None:
    assert main(["agree", str(results), "--share", "0.5", "--out", str(tmp_path / "out"), "--resamples", "99"]) == 0
    table = pl.read_csv(tmp_path / "out" / "tables" / "kept_sets.csv")
    in_all = len(set.intersection(*(set(order[8:]) for order in orders.values())))
    row = table.row(by_predicate=pl.col("coefficient") == "kept_in_all", named=True)
    assert (row["value"], row["fewest"], row["most"], row["raters"]) == (in_all, 8, 8, 3)
    assert f"{in_all} of 16 heads are kept in all 3 sets" in " ".join(capsys.readouterr().out.split())
