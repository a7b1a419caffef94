"""Simulations with known truth: how often intervals hold it, and how often tests and corrections err.

`python tests/analysis/inference/simulations.py [RUNS]` prints the figures of
design/statistics.md (2,000 runs: some minutes).
"""

import sys
from collections.abc import Iterator

import numpy as np
from fixtures.samples import flipping, sample_of, sentences, true_effects

from analysis.inference import resampling
from analysis.inference.discordant_pairs import conditional_interval, flip_interval, flips, mcnemar
from analysis.inference.minimum_detectable_effect import minimum_detectable_effect
from analysis.inference.multiplicity import Correction, corrected, critical_size, holm, max_t
from analysis.inference.significance import PairedTest, p_of_draws, p_of_sacrebleu, p_of_t, p_values
from analysis.results.sample import Sample
from study.record.designs.jackknife import standard_error
from study.record.metrics import Bleu

ALPHA = 0.05
EXAMPLES = 400
DRAWS = 599
FLIPS = (2, 5, 10, 20, 40)
"""Expected, of all examples."""

DIRECTIONS = (0.5, 0.75, 1.0)
"""Chance that a flip is to wrong."""


def coverage(runs: int, seed: int, *, size: int = 1, within_groups: float = 0.0) -> dict[str, np.ndarray]:
    """How often intervals of a classifier's effects hold the truth: [expected flips, direction], by their name.

    `used` is what `analysis.effects.head_effects` gives: percentile, and flips where they are few.
    """
    rng = np.random.default_rng(seed)
    flip = np.repeat(np.array(FLIPS) / EXAMPLES, len(DIRECTIONS))
    to_wrong = np.tile(DIRECTIONS, len(FLIPS))
    truth = true_effects(flip, to_wrong)
    held: dict[str, np.ndarray] = {}
    for run in range(runs):
        sample = flipping(
            rng, groups=EXAMPLES // size, size=size, flip=flip, to_wrong=to_wrong, within_groups=within_groups
        )
        for name, (low, high) in _intervals(sample, run).items():
            held[name] = held.get(name, 0) + ((low <= truth + 1e-9) & (truth - 1e-9 <= high))
    return {name: (count / runs).reshape(len(FLIPS), -1) for name, count in held.items()}


def _intervals(sample: Sample, seed: int) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    draws = resampling.bootstrap(sample, DRAWS, seed)
    found = {
        "percentile": resampling.percentile(draws, ALPHA),
        "bca": resampling.bca(draws, sample.effects, sample.effects_without_each, ALPHA),
        "flips": flip_interval(flips(sample), ALPHA),
        "conditional": conditional_interval(flips(sample), ALPHA),
    }
    few = flips(sample).few
    low, high = (np.where(few, exact, end) for exact, end in zip(found["flips"], found["percentile"], strict=True))
    return {**found, "used": (low, high)}


def coverage_of_bleu(runs: int, seed: int, sentences_each: int = 200) -> dict[str, float]:
    """How often intervals of an effect on BLEU hold the effect on the large set that each sample is drawn from."""
    rng = np.random.default_rng(seed)
    pool = sentences(2000, (0.1, 0.12, 0.3), seed)
    truth = sample_of(pool, Bleu()).effects
    held = {"percentile": 0, "bca": 0}
    for run in range(runs):
        sample = sample_of(pool[:, rng.integers(pool.shape[1], size=sentences_each)], Bleu())
        draws = resampling.bootstrap(sample, DRAWS, run)
        without_each = sample.effects_without_each
        for name, (low, high) in {
            "percentile": resampling.percentile(draws, ALPHA),
            "bca": resampling.bca(draws, sample.effects, without_each, ALPHA),
        }.items():
            held[name] = held[name] + ((low <= truth) & (truth <= high)).mean()
    return {name: float(count / runs) for name, count in held.items()}


def size_of_tests(runs: int, seed: int, *, size: int = 1, within_groups: float = 0.0) -> dict[str, np.ndarray]:
    """How often each test finds an effect at level .05 that is not there: [expected flips], by test."""
    rng = np.random.default_rng(seed)
    flip = np.array(FLIPS) / EXAMPLES
    found: dict[str, np.ndarray] = {}
    for run in range(runs):
        sample = flipping(
            rng,
            groups=EXAMPLES // size,
            size=size,
            flip=flip,
            to_wrong=np.full(len(flip), 0.5),
            within_groups=within_groups,
        )
        draws = resampling.bootstrap(sample, DRAWS, run)
        for test in PairedTest:
            if test.is_of_examples:  # they take flips for independent, however they come
                continue
            p, _ = p_values(test, sample, None, draws, resamples=DRAWS, seed=run)
            found[test] = found.get(test, 0) + (p <= ALPHA)
        for mid_p, name in ((False, PairedTest.mcnemar), (True, PairedTest.mcnemar_mid_p)):
            found[name] = found.get(name, 0) + (mcnemar(flips(sample), mid_p=mid_p) <= ALPHA)
    return {name: count / runs for name, count in found.items()}


def size_on_bleu(runs: int, seed: int, sentences_each: int = 200) -> dict[str, float]:
    """The same on BLEU: each sentence of two systems alike is given to either at random, so that there is no effect."""
    rng = np.random.default_rng(seed)
    pool = sentences(2000, (0.1, 0.14), seed)
    found = {"randomisation": 0, "bootstrap": 0, "jackknife": 0, "sacrebleu": 0}
    for run in range(runs):
        sums = pool[:, rng.integers(pool.shape[1], size=sentences_each)]
        swap = rng.random(sentences_each) < 0.5
        sample = sample_of(np.where(swap[:, None], sums[::-1], sums), Bleu())
        draws = resampling.bootstrap(sample, DRAWS, run)
        null = resampling.swapped(sample, DRAWS, run)
        error = standard_error(sample.effects_without_each)
        for name, p in {
            "randomisation": p_of_draws(null, sample.effects),
            "bootstrap": p_of_draws(draws - sample.effects, sample.effects),
            "jackknife": p_of_t(sample.effects, error, sample.groups - 1),
            "sacrebleu": p_of_sacrebleu(draws, sample.effects),
        }.items():
            found[name] += float(p[0] <= ALPHA)
    return {name: count / runs for name, count in found.items()}


HEADS = 40
MATTER = 8


def errors_over_heads(runs: int, seed: int, *, between_heads: float) -> dict[str, dict[str, float]]:
    """40 heads, 8 of which matter: chance of any false discovery, share of false ones, and share of the 8 found."""
    rng = np.random.default_rng(seed)
    flip = np.linspace(8, 50, HEADS) / EXAMPLES
    to_wrong = np.where(np.arange(HEADS) % (HEADS // MATTER) == 0, 0.85, 0.5)
    matter = to_wrong != 0.5
    found: dict[str, dict[str, float]] = {}
    for run in range(runs):
        sample = flipping(rng, groups=EXAMPLES, flip=flip, to_wrong=to_wrong, between_heads=between_heads)
        for name, p in _adjusted(sample, run).items():
            false, true = (p[~matter] <= ALPHA).sum(), (p[matter] <= ALPHA).sum()
            rates = {"any false": false > 0, "share false": false / max(1, false + true), "power": true / MATTER}
            found[name] = {key: found.get(name, {}).get(key, 0) + value / runs for key, value in rates.items()}
    return found


def _adjusted(sample: Sample, seed: int) -> dict[str, np.ndarray]:
    null = resampling.swapped(sample, DRAWS, seed)
    bootstrap = resampling.bootstrap(sample, DRAWS, seed) - sample.effects
    p, exact = p_of_draws(null, sample.effects), mcnemar(flips(sample), mid_p=False)
    return {
        "none": p,
        "max_t": max_t(null, sample.effects, sample.swap_deviation),
        "max_t of bootstrap": max_t(bootstrap, sample.effects),
        "holm of mcnemar": holm(exact),
        "benjamini_hochberg": corrected(p, Correction.benjamini_hochberg),
        "benjamini_yekutieli": corrected(p, Correction.benjamini_yekutieli),
    }


def power_at_detectable(runs: int, seed: int) -> float:
    """How often a head is found, after max-T over 40, whose true effect is the detectable one."""
    rng = np.random.default_rng(seed)
    flip = np.full(HEADS, 50 / EXAMPLES)
    pilot = flipping(rng, groups=EXAMPLES, flip=flip, to_wrong=np.full(HEADS, 0.5))
    null = resampling.swapped(pilot, DRAWS, 0)
    critical = critical_size(
        Correction.max_t,
        ALPHA,
        null,
        pilot.effects,
        test=PairedTest.randomisation,
        groups=EXAMPLES,
        unit=pilot.swap_deviation,
    )
    error = standard_error(pilot.effects_without_each)
    to_wrong = np.full(HEADS, 0.5)
    to_wrong[0] += minimum_detectable_effect(error, critical, EXAMPLES - 1) / (200 * flip[0])
    found = 0
    for run in range(runs):
        sample = flipping(rng, groups=EXAMPLES, flip=flip, to_wrong=to_wrong)
        null = resampling.swapped(sample, DRAWS, run)
        found += max_t(null, sample.effects, sample.swap_deviation)[0] <= ALPHA
    return found / runs


def power_of_few_groups(runs: int, seed: int, groups: int, heads: int = 1) -> tuple[float, float]:
    """How often max-T finds a head whose true effect is the detectable one, and where normal quantiles say that it is.

    Effects are sums of normal differences over the groups; every swap of all groups is made.
    """
    rng = np.random.default_rng(seed)
    signs = 1.0 - 2 * (np.arange(1, 2**groups)[:, None] >> np.arange(groups) & 1)

    def of(differences: np.ndarray, test: PairedTest) -> float:
        return critical_size(
            Correction.max_t, ALPHA, signs @ differences, differences.sum(axis=0), test=test, groups=groups
        )

    pilots = [rng.standard_normal((groups, heads)) for _ in range(50)]
    critical = float(np.median([of(pilot, PairedTest.randomisation) for pilot in pilots]))
    plain = float(np.median([of(pilot, PairedTest.bootstrap) for pilot in pilots]))  # sizes under the draws as they are
    error = np.array([np.sqrt(groups)])
    rates = []
    for effect in (
        minimum_detectable_effect(error, critical, groups - 1),
        minimum_detectable_effect(error, plain, 10**9),
    ):
        found = 0
        for _ in range(runs):
            differences = rng.standard_normal((groups, heads))
            differences[:, 0] += effect / groups
            found += max_t(signs @ differences, differences.sum(axis=0))[0] <= ALPHA
        rates.append(found / runs)
    return rates[0], rates[1]


def _report(runs: int) -> Iterator[str]:
    for groups in ({}, {"size": 4, "within_groups": 0.7}):
        yield f"coverage of 95 % intervals {groups or 'of single examples'}: flips {FLIPS} x direction {DIRECTIONS}"
        for name, rates in coverage(runs, 1, **groups).items():
            yield f"  {name:12} " + "  ".join(" ".join(f"{rate:.3f}" for rate in row) for row in rates)
        yield f"size at .05 {groups or 'of single examples'}: flips {FLIPS}"
        for name, rates in size_of_tests(runs, 2, **groups).items():
            yield f"  {name:14} " + " ".join(f"{rate:.3f}" for rate in rates)
    yield f"coverage of BLEU {coverage_of_bleu(runs, 3)}"
    yield f"size on BLEU {size_on_bleu(runs, 4)}"
    for between_heads in (0.0, 0.7):
        yield f"{HEADS} heads, {MATTER} matter, dependence {between_heads}"
        for name, rates in errors_over_heads(runs, 5, between_heads=between_heads).items():
            yield f"  {name:20} " + ", ".join(f"{key} {rate:.3f}" for key, rate in rates.items())
    yield f"power at the detectable effect: {power_at_detectable(runs, 6):.3f}"
    for groups in (6, 8, 10, 12):
        for heads in (1, 16):
            by_t, by_normal = power_of_few_groups(runs, 7, groups, heads)
            yield f"the same of {groups} groups, {heads} heads: {by_t:.3f}, by normal quantiles {by_normal:.3f}"


if __name__ == "__main__":
    for line in _report(int(sys.argv[1]) if len(sys.argv) > 1 else 2000):
        print(line, flush=True)
