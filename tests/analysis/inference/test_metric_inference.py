"""Every kind of metric in the inference: samples against rows written out, levels and coverage by simulation."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import polars as pl
import pytest
from scipy import stats
from sklearn.metrics import f1_score, matthews_corrcoef

from analysis.inference import resampling
from analysis.inference.multiplicity import max_t
from analysis.inference.significance import p_of_draws
from analysis.results.row_sample import RowSample
from analysis.results.sample import Sample
from study.record.metrics import Answers, Metric, metric
from study.record.metrics.numbers import on_grid

LABELS = ("no", "yes")
THEIRS: dict[str, Callable[[np.ndarray, np.ndarray], float]] = {
    "matthews": lambda answers, gold: matthews_corrcoef(gold, answers),
    "f1": lambda answers, gold: f1_score(gold, answers, zero_division=0),
    "f1_macro": lambda answers, gold: f1_score(gold, answers, average="macro", zero_division=0),
    "pearson": lambda answers, gold: stats.pearsonr(answers, gold).statistic,
    "spearman": lambda answers, gold: stats.spearmanr(answers, gold).statistic,
}
GROUPS, SIZE, MASKS = 60, 2, 4


def answers(
    name: str, rng: np.random.Generator, noises: tuple[float, ...], groups: int = GROUPS
) -> tuple[np.ndarray, np.ndarray]:
    """Answers [mask, example] of masks with as much noise each, of the same kind, and the gold ones."""
    count = groups * SIZE
    shared = np.repeat(rng.standard_normal(groups), SIZE) + rng.standard_normal(count)
    gold = np.round(8 * shared) / 8  # on the grid, with ties
    noisy = shared + np.stack([noise * rng.standard_normal(count) for noise in noises])
    if name in ("pearson", "spearman"):
        return np.round(64 * noisy) / 64, gold
    return (noisy > 0.3).astype(np.int64), (gold > 0.3).astype(np.int64)


def sample_of_answers(name: str, given: np.ndarray, gold: np.ndarray) -> Sample:
    """The sample of answers, in groups of `SIZE` examples that follow each other."""
    own = metric(name, Answers(labels=LABELS, positive=LABELS[1]))
    numbers = name in ("pearson", "spearman")
    target = list(map(repr, gold.tolist())) if numbers else np.array(LABELS)[gold]
    answers = [{own.reads[0]: on_grid(row) if numbers else row, "target": target} for row in given]
    rows = np.stack([own.count(pl.DataFrame(one)) for one in answers])
    groups = gold.size // SIZE
    keys, sizes = tuple(map(str, range(len(given)))), np.full(groups, SIZE)
    if not own.is_additive:
        group = np.repeat(np.arange(groups), SIZE)
        return RowSample(keys, own, rows, sizes, tuple(map(str, range(groups))), "group", group=group)
    sums = rows.reshape(len(given), groups, SIZE, -1).sum(axis=2)
    return Sample(keys, own, sums, sizes, tuple(map(str, range(groups))), "group")


@pytest.mark.parametrize("name", THEIRS)
@pytest.mark.filterwarnings("ignore")
def test_resamples_swaps_and_deletions_are_scores_of_the_rows_written_out(name: str) -> None:
    rng = np.random.default_rng(2)
    given, gold = answers(name, rng, (0.5, 0.9, 2.0), groups=9)
    sample, theirs = sample_of_answers(name, given, gold), THEIRS[name]

    def score(rows: np.ndarray, taken: np.ndarray) -> float:
        found = theirs(rows[taken], gold[taken])
        return 0.0 if np.isnan(found) else 100 * float(found)

    every = np.arange(gold.size)
    assert sample.scores == pytest.approx([score(row, every) for row in given], abs=1e-9)
    often = rng.integers(0, 3, (4, 9))
    for weights, found in zip(often, sample.weighted(often), strict=True):
        assert found == pytest.approx(
            [score(row, np.repeat(every, np.repeat(weights, SIZE))) for row in given], abs=1e-9
        )
    for left_out, found in enumerate(sample.without_each):
        kept = every[every // SIZE != left_out]
        assert found == pytest.approx([score(row, kept) for row in given], abs=1e-9)
    swaps = rng.random((4, 9)) < 0.5
    for swap, found in zip(swaps, sample.swapped(swaps), strict=True):
        away = np.repeat(swap, SIZE)
        pairs = [(np.where(away, given[0], row), np.where(away, row, given[0])) for row in given[1:]]
        assert found == pytest.approx([score(row, every) - score(base, every) for row, base in pairs], abs=1e-9)
    changed = [len({i // SIZE for i in np.flatnonzero(row != given[0])}) for row in given[1:]]
    same_sums = isinstance(sample, RowSample)
    assert (sample.changed == changed).all() if same_sums else (sample.changed <= changed).all()


@pytest.mark.parametrize("name", THEIRS)
def test_groups_that_are_merged_count_as_one(name: str) -> None:
    given, gold = answers(name, np.random.default_rng(4), (0.5, 0.9), groups=8)
    sample = sample_of_answers(name, given, gold)
    merged = sample.merged(np.array([0, 0, 1, 1, 2, 2, 3, 3]), ("a", "b", "c", "d"))
    weights = np.array([[1, 0, 2, 1]])
    assert merged.weighted(weights) == pytest.approx(sample.weighted(weights.repeat(2, axis=1)), abs=1e-12)
    assert merged.sizes.tolist() == [2 * SIZE] * 4


@pytest.mark.parametrize("name", THEIRS)
def test_what_is_0_by_0_is_counted(name: str) -> None:
    """Answers that differ on one group alone are all the same in every resample without it."""
    given, gold = answers(name, np.random.default_rng(0), (0.5, 0.5))
    given[1] = given[0, 0]
    given[1, :SIZE] = 1 - given[0, 0] if name in ("matthews", "f1", "f1_macro") else 9.0
    share = resampling.undefined(sample_of_answers(name, given, gold), 2000, 0)
    expected = 0.0 if name in ("f1", "f1_macro") else (1 - 1 / GROUPS) ** GROUPS
    assert share == pytest.approx([expected], abs=0.03)


def rejections(name: str, runs: int, seed: int) -> float:
    """How often max-T finds any of several masks that differ from the base by chance alone."""
    rng, found = np.random.default_rng(seed), 0
    for run in range(runs):
        sample = sample_of_answers(name, *answers(name, rng, (1.0,) * MASKS))
        null = resampling.swapped(sample, 199, run)
        assert (max_t(null, sample.effects, sample.swap_deviation) >= p_of_draws(null, sample.effects) - 1e-9).all()
        found += (max_t(null, sample.effects, sample.swap_deviation) <= 0.05).any()
    return found / runs


def covered(name: str, runs: int, seed: int, truth: np.ndarray) -> float:
    """How often the bootstrap interval of an effect holds the true one."""
    rng, held = np.random.default_rng(seed), 0
    for run in range(runs):
        sample = sample_of_answers(name, *answers(name, rng, (0.5, 0.8, 1.2)))
        low, high = resampling.percentile(resampling.bootstrap(sample, 399, run), 0.05)
        held += int(((low <= truth) & (truth <= high)).sum())
    return held / runs / truth.size


def truth_of(name: str) -> np.ndarray:
    """The effects on very many examples."""
    given, gold = answers(name, np.random.default_rng(99), (0.5, 0.8, 1.2), groups=100_000)
    own: Metric = metric(name, Answers(labels=LABELS, positive=LABELS[1]))
    sample = sample_of_answers(name, given, gold)
    assert own.name == sample.metric.name
    return sample.effects


@pytest.mark.parametrize("name", [name for name in THEIRS if name != "f1"])  # of the same counts as f1_macro
def test_levels_hold_roughly(name: str) -> None:
    """Within four standard errors of .05 and .95; `test_levels_hold` looks closer."""
    assert rejections(name, 60, 1) <= 0.05 + 4 * np.sqrt(0.05 * 0.95 / 60)
    assert covered(name, 40, 2, truth_of(name)) >= 0.95 - 4 * np.sqrt(0.05 * 0.95 / 40)


@pytest.mark.exhaustive
@pytest.mark.parametrize("name", THEIRS)
def test_levels_hold(name: str) -> None:
    assert rejections(name, 1000, 3) <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / 1000)
    assert covered(name, 600, 4, truth_of(name)) == pytest.approx(0.945, abs=0.03)


def test_a_mask_that_changes_nothing_has_no_effect_to_the_last_bit() -> None:
    for name in THEIRS:
        given, gold = answers(name, np.random.default_rng(7), (0.5,))
        sample = sample_of_answers(name, np.repeat(given, 3, axis=0), gold)
        for effects in (
            resampling.bootstrap(sample, 50, 0),
            resampling.swapped(sample, 50, 0),
            sample.effects_without_each,
        ):
            assert not effects.any()


def test_sums_that_no_float_holds_are_exact() -> None:
    """Outputs far from 0, of which the sums of squares are above 2^53: a constant stays one in every resample."""
    rng = np.random.default_rng(0)
    gold = np.round(rng.standard_normal(4000), 1)
    given = np.stack([1000 + rng.standard_normal(4000), np.full(4000, 1000.25)])
    sample = sample_of_answers("pearson", given, gold)
    assert int(np.abs(sample.totals).max()) > 2**60
    assert resampling.undefined(sample, 20, 0).tolist() == [1.0]
    assert (sample.weighted(resampling.drawn(rng, 20, sample.groups))[:, 1] == 0).all()
    small = replace(sample, sums=sample_of_answers("pearson", given - 1000, gold).sums)
    weights = resampling.drawn(rng, 5, sample.groups)
    assert sample.weighted(weights) == pytest.approx(small.weighted(weights), abs=1e-9)
