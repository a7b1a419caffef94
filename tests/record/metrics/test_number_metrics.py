"""Correlations of numbers against scipy, on the rounded numbers, and their exactness where sums are large."""

from fractions import Fraction

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from study.record.errors import InputError
from study.record.metrics import metric
from study.record.metrics.numbers import PER_UNIT, on_grid
from study.record.scores import mask_scores, with_statistics

THEIRS = {"pearson": stats.pearsonr, "spearman": stats.spearmanr}
FEW = st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), min_size=2, max_size=12)


def statistics_of(name: str, output: np.ndarray, gold: np.ndarray) -> np.ndarray:
    return metric(name).count(pl.DataFrame({"output": on_grid(output), "target": [repr(float(x)) for x in gold]}))


def rounded(values: np.ndarray) -> np.ndarray:
    return on_grid(values) / PER_UNIT


@pytest.mark.parametrize("name", THEIRS)
@pytest.mark.parametrize("scale", [1.0, 1e-3, 40.0])
def test_scores_are_scipys(name: str, scale: float) -> None:
    rng = np.random.default_rng(3)
    gold = rng.integers(0, 26, 400) / 5
    output = scale * (gold + rng.normal(0, 1, 400)).round(1) + 2.5
    rows = statistics_of(name, output, gold)
    expected = 100 * THEIRS[name](rounded(output), rounded(gold)).statistic
    once = np.ones((1, 400), dtype=np.int64)
    assert metric(name).score_rows(rows[None], once)[0, 0] == pytest.approx(expected, rel=1e-12)


@settings(deadline=None, max_examples=60)
@given(FEW, st.integers(0, 9))
@pytest.mark.filterwarnings("ignore")
def test_resamples_score_as_if_examples_stood_more_than_once(pairs: list[tuple[int, int]], seed: int) -> None:
    output, gold = np.array(pairs, dtype=float).T
    weights = np.random.default_rng(seed).integers(0, 4, (6, len(pairs)))
    for name, theirs in THEIRS.items():
        rows = statistics_of(name, output, gold)
        found = metric(name).score_rows(rows[None], weights)[:, 0]
        undefined = metric(name).undefined_rows(rows[None], weights)[:, 0]
        for often, score, is_undefined in zip(weights, found, undefined, strict=True):
            x, y = np.repeat(output, often), np.repeat(gold, often)
            constant = len(set(x)) < 2 or len(set(y)) < 2
            assert is_undefined == constant
            assert score == pytest.approx(0.0 if constant else 100 * theirs(x, y).statistic, abs=1e-10)


def test_pearson_is_exact_where_products_do_not_fit_in_a_float() -> None:
    """Outputs that nearly all are the same, far from 0: the sums are above 2^53, and their difference is not lost."""
    rng = np.random.default_rng(0)
    output, gold = 40 + rng.integers(0, 3, 4000) / PER_UNIT, rng.integers(0, 26, 4000) / 5
    rows = statistics_of("pearson", output, gold)
    x, y = rows[:, 1].tolist(), rows[:, 2].tolist()
    n, sx, sy = len(x), sum(x), sum(y)
    both = Fraction(n * sum(a * b for a, b in zip(x, y, strict=True)) - sx * sy)
    squares = (n * sum(a * a for a in x) - sx * sx) * (n * sum(b * b for b in y) - sy * sy)
    assert abs(rows.sum(axis=0)[3]) > 2**53
    found = metric("pearson").score(rows.sum(axis=0))
    assert found == pytest.approx(100 * float(both) / float(squares) ** 0.5, rel=1e-12)


def test_constant_outputs_are_0_and_told() -> None:
    rows = statistics_of("pearson", np.full(1500, 37.3), np.arange(1500) % 6)
    assert metric("pearson").score(rows.sum(axis=0)) == 0.0
    assert metric("pearson").undefined(rows.sum(axis=0))


@pytest.mark.parametrize("name", THEIRS)
def test_scores_of_masks(name: str) -> None:
    rng = np.random.default_rng(5)
    gold, names = rng.integers(0, 6, 30), [str(i) for i in range(30)]
    outputs = {mask: gold + rng.normal(0, spread, 30) for mask, spread in (("11", 0.5), ("01", 2.0))}
    examples = pl.DataFrame({"example": names, "target": [str(y) for y in gold]})
    rows = pl.concat([pl.DataFrame({"mask": m, "example": names, "output": on_grid(x)}) for m, x in outputs.items()])
    found = mask_scores(with_statistics(rows, examples, metric(name)), metric(name))
    expected = [100 * THEIRS[name](rounded(x), gold).statistic for x in outputs.values()]
    assert found["score"].to_list() == pytest.approx(expected, rel=1e-12)
    assert found["n"].to_list() == [30, 30]


def test_what_cannot_be_judged_is_refused_in_words() -> None:
    with pytest.raises(InputError, match="'entailment' is no number of which a regression could be judged"):
        metric("pearson").count(pl.DataFrame({"output": [1], "target": ["entailment"]}))
    with pytest.raises(InputError, match="1 numbers are not between -2048 and 2048, such as nan"):
        on_grid([1.0, np.nan])
    much = pl.DataFrame({"mask": "1", "example": ["a"], "output": [2**31 - 1]})
    much = with_statistics(much, pl.DataFrame({"example": ["a"], "target": ["1"]}), metric("pearson"))
    with pytest.raises(InputError, match="the sums of Pearson correlation over 3 examples would not fit into 64 bits"):
        mask_scores(pl.concat([much] * 3), metric("pearson"))
