"""Corrections against statsmodels, and max-T against the procedure of the book, step by step."""

from fractions import Fraction
from itertools import product

import numpy as np
import pytest
from fixtures.results import fill
from fixtures.samples import right_or_wrong, sample_of, sentences
from scipy import stats
from statsmodels.stats.multitest import multipletests

from analysis.inference import Inference, infer, resampling
from analysis.inference.multiplicity import (
    Correction,
    _in_standard_errors,
    check_correction,
    corrected,
    critical_size,
    max_t,
)
from analysis.inference.significance import PairedTest, p_of_draws
from analysis.results.read import read_domain
from study.record.errors import InputError
from study.record.metrics import Bleu

P = np.random.default_rng(0).beta(0.3, 2, 50)
THEIRS = {
    Correction.holm: "holm",
    Correction.benjamini_hochberg: "fdr_bh",
    Correction.benjamini_yekutieli: "fdr_by",
}


@pytest.mark.parametrize("correction", THEIRS)
def test_corrections_are_statsmodels(correction) -> None:
    assert corrected(P, correction) == pytest.approx(multipletests(P, method=THEIRS[correction])[1])
    assert corrected(P[:1], correction).tolist() == P[:1].tolist()
    assert corrected(P[:0], correction).size == 0


def by_the_book(null: np.ndarray, effects: np.ndarray) -> np.ndarray:
    """Westfall and Young's free step-down procedure, head by head."""
    unit = np.sqrt(np.vstack([null, effects]).__pow__(2).mean(axis=0))
    drawn, observed = np.abs(null) / unit, np.abs(effects) / unit
    order = sorted(range(len(effects)), key=lambda head: -observed[head])
    p, largest = {}, 0.0
    for rank, head in enumerate(order):
        as_large = sum(draw[order[rank:]].max() >= observed[head] for draw in drawn)
        largest = p[head] = max(largest, (1 + as_large) / (len(null) + 1))
    return np.array([p[head] for head in range(len(effects))])


def test_max_t_goes_by_the_book() -> None:
    rng = np.random.default_rng(1)
    for _ in range(5):
        null = rng.standard_normal((200, 6)) @ rng.standard_normal((6, 6))
        effects = rng.standard_normal(6) * 4
        assert max_t(null, effects) == pytest.approx(by_the_book(null, effects))


def test_max_t_of_one_head_is_its_own_p_and_of_equal_heads_is_no_dearer() -> None:
    rng = np.random.default_rng(2)
    null, effects = rng.standard_normal((999, 1)), np.array([2.1])
    alone = p_of_draws(null, effects)
    assert max_t(null, effects) == pytest.approx(alone)
    assert max_t(null.repeat(30, axis=1), effects.repeat(30)) == pytest.approx(alone.repeat(30))


def test_max_t_is_between_each_p_and_bonferronis_for_independent_heads() -> None:
    rng = np.random.default_rng(3)
    null, effects = rng.standard_normal((20_000, 40)), rng.standard_normal(40) * 2
    p, adjusted = p_of_draws(null, effects), max_t(null, effects)
    assert (adjusted >= p).all()
    order = np.argsort(-np.abs(effects))
    sidak = np.maximum.accumulate(1 - (1 - 2 * stats.norm.sf(np.abs(effects[order]))) ** np.arange(40, 0, -1))
    assert adjusted[order] == pytest.approx(sidak, abs=0.02)


def test_a_head_that_changes_nothing_is_1_and_troubles_no_other() -> None:
    right = np.array([[1] * 30, [1] * 30, [0] * 9 + [1] * 21])
    sample = right_or_wrong(right)
    null = resampling.swapped(sample, 2000, seed=0)
    adjusted = max_t(null, sample.effects)
    assert adjusted[0] == 1.0
    assert adjusted[1] == pytest.approx(p_of_draws(null, sample.effects)[1])


def disjoint_flips(*heads: tuple[int, int]) -> np.ndarray:
    """Right or wrong [mask, example], base first: each head makes so many wrong and right, on its own examples."""
    changes = [np.repeat([-1, 1], counts) for counts in heads]
    change = np.zeros((len(heads), sum(map(len, changes))), dtype=np.int64)
    start = 0
    for row, own in zip(change, changes, strict=True):
        row[start : start + len(own)] = own
        start += len(own)
    base = (change.sum(axis=0) < 0).astype(np.int64)
    return np.vstack([base, base + change])


def test_the_deviation_under_swaps_is_that_of_every_swap() -> None:
    rng = np.random.default_rng(7)
    right, sizes = rng.integers(0, 4, (5, 8)), np.full(8, 3)
    sample = sample_of(np.stack([right, np.broadcast_to(sizes, right.shape)], axis=-1), sizes=sizes)
    every = np.vstack([sample.effects, resampling.swapped(sample, 10_000, seed=0)])
    assert len(every) == 2**8
    assert sample.swap_deviation == pytest.approx(np.sqrt(np.square(every).mean(axis=0)), rel=1e-12)
    assert sample_of(sentences(6, (0.1, 0.3), seed=0), Bleu()).swap_deviation is None


@pytest.mark.parametrize("seed", range(4))
def test_max_t_of_every_swap_is_the_step_down_by_hand_in_whole_numbers(seed: int) -> None:
    """T^2 = (sum of signed differences)^2 / sum of squares, as fractions: no rounding can part equals."""
    rng = np.random.default_rng(seed)
    right = rng.random((6, 10)) < 0.6
    sample = right_or_wrong(right)
    differences = (right[1:].astype(int) - right[0]).tolist()
    squares = [sum(d * d for d in row) for row in differences]

    def size(signs: tuple[int, ...], head: int) -> Fraction:
        total = sum(s * d for s, d in zip(signs, differences[head], strict=True))
        return Fraction(total**2, squares[head]) if squares[head] else Fraction(-1)

    swaps = list(product((1, -1), repeat=10))
    observed = [size(swaps[0], head) for head in range(5)]
    by_hand, largest = {}, 0.0
    remaining = sorted(range(5), key=lambda head: -observed[head])
    while remaining:
        head = remaining[0]
        as_large = sum(max(size(signs, other) for other in remaining) >= observed[head] for signs in swaps)
        largest = by_hand[head] = max(largest, as_large / len(swaps))
        remaining = remaining[1:]
    null = resampling.swapped(sample, 10_000, seed=0)
    found = max_t(null, sample.effects, sample.swap_deviation)
    assert found == pytest.approx([by_hand[head] for head in range(5)], abs=1e-12)


def test_heads_that_are_equal_under_the_null_have_one_p_whatever_the_seed() -> None:
    """Net 3 of 9 flips and net 4 of 16 are both one standard deviation: P(|S9| >= 3 or |S16| >= 4), from binomials."""
    sample = right_or_wrong(disjoint_flips((6, 3), (10, 6)))
    below = [stats.binom.cdf(np.arange(n + 1), n, 0.5)[[low, high]] for n, low, high in ((9, 3, 5), (16, 6, 9))]
    exact = 1 - np.prod([high - low for low, high in below])
    found = []
    for seed in range(20):
        null = resampling.swapped(sample, 2000, seed)
        p = max_t(null, sample.effects, sample.swap_deviation)
        assert p[0] == p[1]
        found.append(p[0])
    assert np.mean(found) == pytest.approx(exact, abs=0.005)
    assert np.std(found) < 1.5 * np.sqrt(exact * (1 - exact) / 2000), "what 2,000 draws leave, and no more"


def test_the_analysis_takes_the_known_unit(results) -> None:
    fill(results, "accuracy", model="toy", data="home", count=300)
    domain = read_domain(next(results.glob("*/*/*")))
    masks = [key for key in domain.rows["mask"].unique(maintain_order=True) if key.count("0") == 1]
    table = infer(domain, {"ablation": masks}, Inference(resamples=300))
    sample = domain.sample().select(masks)
    null = resampling.swapped(sample, 300, seed=0)
    known = max_t(null, sample.effects, sample.swap_deviation)
    assert table["p_corrected"].to_list() == known.tolist()
    assert (known != max_t(null, sample.effects)).any()


def test_holm_says_how_many_resamples_it_needs() -> None:
    with pytest.raises(InputError, match=r"take 28,799 resamples or more") as raised:
        check_correction(Correction.holm, PairedTest.randomisation, 288, 1000, 0.01)
    assert "max_t" in str(raised.value)
    check_correction(Correction.holm, PairedTest.randomisation, 288, 28_799, 0.01)
    check_correction(Correction.holm, PairedTest.mcnemar, 288, 1000, 0.01)
    p = np.full(288, 1.0)
    p[0] = 1 / 28_800
    assert corrected(p, Correction.holm)[0] <= 0.01
    p[0] = 1 / 28_799
    assert corrected(p, Correction.holm)[0] > 0.01


def test_max_t_needs_joint_draws() -> None:
    with pytest.raises(InputError, match="max_t corrects by joint draws, which mcnemar does not make"):
        check_correction(Correction.max_t, PairedTest.mcnemar, 5, 1000, 0.05)


def test_critical_sizes() -> None:
    null = np.random.default_rng(4).standard_normal((20_000, 20))

    def size(name: Correction, null: np.ndarray, groups: int = 10**9, test=PairedTest.randomisation) -> float:
        return critical_size(name, 0.05, null, np.zeros(null.shape[1]), test=test, groups=groups)

    sizes = {name: size(name, null) for name in Correction}
    assert sizes[Correction.none] == pytest.approx(1.96, abs=0.001)
    assert sizes[Correction.holm] == sizes[Correction.benjamini_hochberg] == pytest.approx(3.023, abs=0.001)
    assert sizes[Correction.max_t] == pytest.approx(3.02, abs=0.04)
    assert sizes[Correction.benjamini_yekutieli] > sizes[Correction.holm]
    assert size(Correction.max_t, null[:, :1].repeat(20, axis=1)) < 2
    assert size(Correction.none, null, 6) == pytest.approx(stats.t.isf(0.025, 5))
    assert size(Correction.none, null, 5) == size(Correction.max_t, null, 5) == np.inf, "32 swaps: p is .06 at least"
    assert size(Correction.holm, null, 9, PairedTest.jackknife) == pytest.approx(stats.t.isf(0.025 / 20, 8))
    assert size(Correction.holm, null, 9) == np.inf, "512 swaps: p is .004 at least, .05 / 20 is less"


def test_the_size_under_swaps_becomes_the_t_of_the_same_groups() -> None:
    differences = np.random.default_rng(5).normal(0.8, 1, 7)
    signs = 1.0 - 2 * (np.arange(1, 128)[:, None] >> np.arange(7) & 1)
    null, effect = signs @ differences[:, None], differences.sum(keepdims=True)
    under_swaps = abs(effect[0]) / np.sqrt((np.square(null).sum() + effect[0] ** 2) / 128)
    assert _in_standard_errors(under_swaps, 7) == pytest.approx(abs(stats.ttest_1samp(differences, 0).statistic))
