"""Cells that share examples share noise: it is taken out of the covariance, and resamples move it in both at once."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from fixtures.language_results import fill_language
from simulated import PLAIN, SCENARIOS, Scenario, coverage, noisy, on_the_same_examples

from analysis.correlation.coefficients import centred, pearson
from analysis.correlation.domain_effects import DomainEffects
from analysis.correlation.noise_ceiling import crossed_halves, deal, part_effects
from analysis.correlation.null_distributions import random_swaps, sign_flip_null
from analysis.correlation.shared_examples import SharedGroups, additions, aligned, disjoint, sampling_covariance
from analysis.correlation.true_correlation import NoisyEffects, measured_r, noise, true_r
from analysis.inference.resampling import drawn
from analysis.results.read import read_results
from study.record.units import AttentionKind, Head

SMALL = Scenario(r=0.5, signal=0.2, groups=40, size=3, heads=6)
NO_SIGNAL = replace(PLAIN, signal=0.0, heavy=False, heads=24, groups=120)


def cells(scenario: Scenario, seed: int, share: float = 1.0) -> tuple[DomainEffects, DomainEffects, SharedGroups]:
    rng = np.random.default_rng(seed)
    both, shared = on_the_same_examples(scenario, scenario.shifts(rng), rng, share=share)
    heads = tuple(Head(AttentionKind.ENCODER_SELF, 0, i) for i in range(scenario.heads))
    of = np.arange(scenario.groups)
    names = [{"subject_id": "s", "setting_id": name, "domain": name} for name in "ab"]
    found = (DomainEffects(name, heads, own.effects, own, own.names, of) for name, own in zip(names, both, strict=True))
    a, b = found
    b = replace(b, texts=tuple(text.removeprefix("both ") for text in b.texts))
    return a, b, shared


@pytest.mark.parametrize("share", [1.0, 0.5])
def test_the_covariance_between_cells_is_that_of_a_bootstrap_of_both_at_once(share: float) -> None:
    a, b, _ = cells(replace(SMALL, groups=120), 0, share)
    rng, count = np.random.default_rng(1), round(share * 120)
    both, new_a, new_b = (drawn(rng, 6000, groups) for groups in (count, 120 - count, 120 - count))
    counts = [np.concatenate([both, new], axis=1) for new in (new_a, new_b)]
    effects = []
    for side, weights in zip((a, b), counts, strict=True):
        scores = side.sample.weighted(weights)
        effects.append(centred(scores[:, 1:] - scores[:, :1]))
    boot = np.cov(*(own.T for own in effects))[:6, 6:]
    centring = np.eye(6) - 1 / 6
    found = centring @ sampling_covariance(a, b) @ centring
    assert np.abs(found - boot).max() < 0.12 * np.abs(boot).max()
    assert np.trace(found) == pytest.approx(np.trace(boot), rel=0.1)
    assert np.trace(found) > 0.2 * np.trace(centring @ sampling_covariance(a, a))


def test_of_a_cell_with_itself_it_is_the_jackknife_s_and_of_disjoint_ones_nought() -> None:
    a, b, _ = cells(SMALL, 2)
    values = 40 * a.effects - 39 * a.without
    assert sampling_covariance(a, a) == pytest.approx(np.cov(values.T) / 40, rel=1e-9)
    apart = replace(b, texts=tuple(f"other {text}" for text in b.texts))
    assert (sampling_covariance(a, apart) == 0).all()


@pytest.mark.parametrize("groups", ["auto", "example"])
def test_choices_are_one_example_where_all_of_their_texts_are(groups: str, tmp_path: Path) -> None:
    """Contexts may all be empty, as those of minimal pairs are, and some questions have fewer choices than others."""
    for seed, data in enumerate(("easy", "hard")):
        fill_language(tmp_path, data, seed=seed)
    own = {"text_1": pl.lit(""), "text_2": pl.col("example") + pl.col("text_2")}
    domains = [
        replace(domain, examples=domain.examples.with_columns(**own)) for domain in read_results(tmp_path).domains
    ]
    a, b = (DomainEffects.of(domain, groups) for domain in domains)
    side, _, shared = aligned(a, b)
    assert (shared.count, side.sample.groups) == (0, a.sample.groups)
    assert a.examples_key != b.examples_key
    assert a.has_the_examples_of(DomainEffects.of(domains[0], groups))


def without(side: NoisyEffects, shared_at: np.ndarray, i: int) -> tuple[NoisyEffects, np.ndarray]:
    """A domain without a group, everything computed anew; and the places of the shared groups that are left."""
    values = len(side.without) * side.effects - (len(side.without) - 1) * side.without
    rest = np.delete(values, i, axis=0)
    left = (rest.sum(axis=0) - rest) / (len(rest) - 1)
    return NoisyEffects(side.domain, rest.mean(axis=0), left), np.where(shared_at > i, shared_at - 1, shared_at)


def by_definition(a: NoisyEffects, b: NoisyEffects, shared: SharedGroups) -> float:
    """The true r as the formula has it, with the covariance between cells as a matrix."""
    heads = a.effects.size
    centring = np.eye(heads) - 1 / heads
    x, y = additions(a.without)[shared.at_a], additions(b.without)[shared.at_b]
    trace = np.trace(x.T @ y / shared.divisor @ centring) / (heads - 1) if shared.count else 0.0
    moments = np.cov(a.effects, b.effects)
    return (moments[0, 1] - trace) / np.sqrt((moments[0, 0] - noise(a)) * (moments[1, 1] - noise(b)))


def deletions(a: NoisyEffects, b: NoisyEffects, shared: SharedGroups):
    """Both domains without each group, and the stratum that it is of."""
    at, count = dict(zip(shared.at_a, shared.at_b, strict=True)), len(a.without)
    for i in range(count):
        less_a, at_a = without(a, shared.at_a, i)
        if i not in at:
            yield "a", less_a, b, SharedGroups(count - 1, count, at_a, shared.at_b)
            continue
        left = shared.at_a != i
        less_b, at_b = without(b, shared.at_b, at[i])
        yield "both", less_a, less_b, SharedGroups(count - 1, count - 1, at_a[left], at_b[left])
    for j in set(range(count)) - set(at.values()):
        less_b, at_b = without(b, shared.at_b, j)
        yield "b", a, less_b, SharedGroups(count, count - 1, shared.at_a, at_b)


def difference(a: NoisyEffects, b: NoisyEffects, shared: SharedGroups, rho: float) -> float:
    """Of r, but for shared noise, from what a true r of rho would leave, on Fisher's scale."""
    root = np.sqrt(np.prod([1 - noise(side) / side.effects.var(ddof=1) for side in (a, b)]))
    return float(np.arctanh(by_definition(a, b, shared) * root) - np.arctanh(rho * root))


@pytest.mark.parametrize("share", [1.0, 0.5, 0.025])
def test_the_true_r_and_what_it_is_without_each_group_equal_the_formula(share: float) -> None:
    """The interval's ends are where the test is about to refuse: with every replicate made one group at a time."""
    scenario = replace(SMALL, heads=12)
    rng = np.random.default_rng(3)
    both, shared = on_the_same_examples(scenario, scenario.shifts(rng), rng, share=share)
    a, b = map(noisy, both)
    found, made = true_r(a, b, shared=shared), list(deletions(a, b, shared))
    assert found.value == pytest.approx(by_definition(a, b, shared), rel=1e-9)
    assert -1 < found.low < found.value < found.high < 1
    for end in (found.low, found.high):
        whole, variance = difference(a, b, shared, end), 0.0
        for stratum in ("a", "b", "both"):
            own = np.array([difference(*cells, end) for name, *cells in made if name == stratum])
            if len(own) == 1:
                variance += float((own[0] - whole) ** 2) * (39 / 40) ** 2
            elif len(own):  # a stratum of n of 40 groups: n / (n - 1) of its squares, on the scale of deletions
                variance += len(own) / (len(own) - 1) * (39 / 40) ** 2 * np.square(own - own.mean()).sum()
        assert abs(whole) == pytest.approx(2.0226909 * np.sqrt(variance), rel=1e-3)  # t of 39


def test_without_shared_groups_all_is_as_between_two_domains() -> None:
    rng = np.random.default_rng(4)
    (a, b), _ = on_the_same_examples(SMALL, SMALL.shifts(rng), rng)
    a, b = noisy(a), noisy(b)
    for of in (measured_r, true_r):
        assert of(a, b) == of(a, b, shared=disjoint(40, 40))


def test_two_cells_of_pure_noise_on_the_same_examples_correlate_and_have_no_true_r() -> None:
    rng = np.random.default_rng(5)
    r, p, naive, estimable = [], [], [], 0
    for _ in range(60):
        (a, b), shared = on_the_same_examples(NO_SIGNAL, np.zeros((2, 24)), rng)
        r.append(float(pearson(a.effects, b.effects)))
        estimable += true_r(noisy(a), noisy(b), shared=shared).value is not None
        one, other = (random_swaps(120, rng, 99) for _ in range(2))
        sides = a.effects, b.effects, a.swapped(one)
        p.append(sign_flip_null(*sides, b.swapped(one)).p)
        naive.append(sign_flip_null(*sides, b.swapped(other)).p)
    assert 0.4 < np.mean(r) < 0.6
    assert estimable <= 5
    assert np.mean(np.array(p) <= 0.05) <= 0.12
    assert np.mean(np.array(naive) <= 0.05) > 0.4, "swaps that are not those of both cells take noise for agreement"


@pytest.mark.exhaustive
@pytest.mark.parametrize("share", [1.0, 0.5])
def test_the_null_holds_its_level_in_two_thousand_runs(share: float) -> None:
    rng = np.random.default_rng(6)
    p, estimable = [], 0
    for _ in range(2000):
        (a, b), shared = on_the_same_examples(NO_SIGNAL, np.zeros((2, 24)), rng, share=share)
        one, other = (random_swaps(120, rng, 199) for _ in range(2))
        other[:, shared.at_b] = one[:, shared.at_a]
        p.append(sign_flip_null(a.effects, b.effects, a.swapped(one), b.swapped(other)).p)
        estimable += true_r(noisy(a), noisy(b), shared=shared).value is not None
    for level in (0.01, 0.05, 0.1):
        assert np.mean(np.array(p) <= level) == pytest.approx(level, abs=3 * np.sqrt(level / 2000))
    assert estimable < 0.05 * 2000


def test_intervals_hold_the_truth_of_cells_on_the_same_examples() -> None:
    found = coverage(replace(SCENARIOS["premises of three"], heads=24), runs=100, seed=7, share=1.0)
    assert found.true >= 0.88
    assert found.measured >= 0.88
    assert found.median_true == pytest.approx(found.r_true, abs=0.06)


@pytest.mark.exhaustive
@pytest.mark.parametrize("share", [1.0, 0.5])
@pytest.mark.parametrize("name", ["medium", "weak", "no relation", "same true effects", "30 documents of 10"])
def test_intervals_hold_the_truth_in_a_thousand_runs(name: str, share: float) -> None:
    found = coverage(SCENARIOS[name], runs=1000, seed=8, share=share)
    assert found.true >= 0.93
    assert found.measured >= 0.93
    assert found.median_true == pytest.approx(found.r_true, abs=0.05)


def test_crossed_halves_are_free_of_the_noise_that_both_share() -> None:
    """Their r, as a share of the most it can be, is the true r; that of whole sets is above it."""
    crossed, whole, truth = [], [], []
    for seed in range(12):
        scenario = replace(PLAIN, signal=0.03, groups=300)
        rng = np.random.default_rng(seed)
        shifts = scenario.shifts(rng)
        (a, b), shared = on_the_same_examples(scenario, shifts, rng)
        dealt = deal(300, rng, 60, 2)
        found = crossed_halves(*(part_effects(own, dealt, 2) for own in (a, b)))
        crossed.append(found.crossed / found.ceiling)
        whole.append(float(pearson(a.effects, b.effects)))
        truth.append(true_r(noisy(a), noisy(b), shared=shared).value)
    assert np.mean(crossed) == pytest.approx(np.mean(truth), abs=0.03)
    assert crossed_halves(None, None).crossed is None


def test_groups_that_one_shared_document_binds_are_one_group() -> None:
    """Two documents of A both have sentences of one of B; another is in both; the rest in one alone."""
    a, b, _ = cells(replace(SMALL, groups=4, heads=3), 9)
    a = replace(a, texts=("s1", "s2", "t", "u"), group_of=np.arange(4))
    b = replace(b, texts=("x", "s2", "s1", "t", "y", "z"), group_of=np.array([0, 1, 1, 2, 3, 3]))
    one, other, shared = aligned(a, b)
    assert one.sample.sizes.tolist() == [6, 3, 3]
    assert other.sample is not None
    assert other.sample.groups == 4
    assert (one.effects == a.effects).all()
    assert one.sample.effects == pytest.approx(a.effects)
    pairs = set(zip(shared.at_a.tolist(), shared.at_b.tolist(), strict=True))
    assert len(pairs) == 2
    assert one.group_of.tolist() == [0, 0, *one.group_of[2:].tolist()]
    assert {(one.group_of[0], other.group_of[1]), (one.group_of[2], other.group_of[3])} == pairs


def test_the_same_examples_in_the_same_groups_are_shared_as_they_are() -> None:
    a, b, _ = cells(SMALL, 10)
    same = replace(b, texts=a.texts, sample=replace(b.sample, names=a.sample.names))
    one, other, shared = aligned(a, same)
    assert one is a
    assert other is same
    assert shared.all
    assert a.examples_key == same.examples_key != b.examples_key
