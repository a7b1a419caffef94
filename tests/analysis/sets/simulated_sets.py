"""Simulations of pairs and coalitions with known truth: how often tests err, and how often intervals hold it.

`python tests/analysis/sets/simulated_sets.py [RUNS]` prints the figures of design/sets.md.
"""

import sys
from contextlib import suppress
from dataclasses import replace
from itertools import combinations

import numpy as np
from fixtures.samples import sample_of, sentences
from scipy import sparse

from analysis.inference.contrasts import Contrasts, Weights
from analysis.results.sample import Sample
from analysis.sets.screening import p_over_all
from analysis.sets.shapley import values_of
from study.record.designs.coalitions import all_coalitions, independent_coalitions, kernel_coalitions
from study.record.designs.estimates import all_sets_matrix, kernel_matrix
from study.record.designs.looks import planned_looks
from study.record.designs.screening import screened_units
from study.record.designs.values import Values
from study.record.errors import InputError
from study.record.metrics import Bleu, LogLikelihood
from study.record.metrics.numbers import PER_UNIT

ALPHA, DRAWS = 0.05, 399
UNITS, GROUPS = 6, 150
PAIRS = tuple(combinations(range(UNITS), 2))


def interactions(units: int = UNITS, pairs: tuple[tuple[int, int], ...] = PAIRS) -> Weights:
    """Weights of the base, each unit off, each pair off, in this order."""
    weights = np.zeros((1 + units + len(pairs), len(pairs)))
    for number, (i, j) in enumerate(pairs):
        weights[[0, 1 + units + number], number] = 1
        weights[[1 + i, 1 + j], number] = -1
    return sparse.csr_array(weights)


def losses(rng: np.random.Generator, first: float = 0.0) -> Sample:
    """Log-likelihoods with large effects of single units, and an interaction `first` of the first pair alone.

    What a group adds to an effect is skewed, and the larger the effect, the noisier it is.
    """
    base = rng.normal(-1, 1, GROUPS)
    size = np.array([0.0, -0.1, -0.5, -1.0, -2.0, 0.4])
    single = size * rng.gamma(1.5, 1 / 1.5, (GROUPS, UNITS)) + 0.05 * rng.standard_normal((GROUPS, UNITS))
    i, j = np.array(PAIRS).T
    own = rng.gamma(1.0, 1.0, (GROUPS, len(PAIRS))) - 1 + rng.standard_normal((GROUPS, 1))
    both = single[:, i] + single[:, j] + 0.3 * own
    both[:, 0] += first
    values = np.column_stack([base, base[:, None] + single, base[:, None] + both]).T
    counts = np.ones_like(values)
    sums = np.rint(np.stack([values * PER_UNIT, counts], axis=-1)).astype(np.int64)
    masks = tuple(map(str, range(len(sums))))
    names = tuple(map(str, range(GROUPS)))
    return Sample(masks, LogLikelihood(), sums, np.ones(GROUPS, dtype=np.int64), names)


def false_interactions(runs: int, seed: int) -> dict[str, float]:
    """Where no pair interacts: how often one is called so, any after correction, and 0 is held."""
    rng, weights = np.random.default_rng(seed), interactions()
    found = {"one": 0.0, "any": 0.0, "held": 0.0}
    for run in range(runs):
        tested = Contrasts.of(losses(rng), weights, DRAWS, run)
        low, high = tested.interval(ALPHA)
        found["one"] += (tested.p <= ALPHA).mean() / runs
        found["any"] += bool((tested.p_corrected <= ALPHA).any()) / runs
        found["held"] += ((low <= 0) & (high >= 0)).mean() / runs
    return found


def found_interactions(runs: int, seed: int) -> float:
    """How often an interaction of .3 nats is found among 15 pairs."""
    rng, weights = np.random.default_rng(seed), interactions()
    found = 0
    for run in range(runs):
        found += Contrasts.of(losses(rng, -0.3), weights, DRAWS, run).p_corrected[0] <= ALPHA
    return found / runs


def false_interactions_of_bleu(runs: int, seed: int, sentences_each: int = 150) -> dict[str, float]:
    """The same on BLEU: sentences of a large set, whose interactions are taken off, so that there are none."""
    noises = (0.1, 0.15, 0.3, 0.2, 0.32, 0.42, 0.38)  # the base, three units, their three pairs
    pairs = ((0, 1), (0, 2), (1, 2))
    weights, rng, pool = interactions(3, pairs), np.random.default_rng(seed), sentences(800, noises, seed)
    truth = sample_of(pool, Bleu()).scores @ weights
    found = {"one": 0.0, "any": 0.0}
    for run in range(runs):
        sample = sample_of(pool[:, rng.integers(pool.shape[1], size=sentences_each)], Bleu())
        tested = Contrasts.of(sample, weights, DRAWS, run)
        tested = replace(tested, estimates=tested.estimates - truth)
        found["one"] += (tested.p <= ALPHA).mean() / runs
        found["any"] += bool((tested.p_corrected <= ALPHA).any()) / runs
    return found


def false_confirmations(runs: int, seed: int) -> dict[str, float]:
    """Where no unit has an effect: how often a screening has one confirmed, corrected over those chosen and over all.

    The random masks and the masks of single units share their examples, so that chance which has chosen a unit speaks
    for it again.
    """
    rng, units, masks = np.random.default_rng(seed), 80, 60
    found = {"over chosen": 0.0, "over all": 0.0}
    for run in range(runs):
        each = rng.normal(size=(GROUPS, units))  # what a unit's absence adds to the score of an example
        on = independent_coalitions(units, masks, 0.9, run)
        chosen, _ = screened_units(on, -(~on @ each.T).mean(axis=1), 10)
        if chosen:
            effects, error = each[:, chosen].mean(axis=0), each[:, chosen].std(axis=0, ddof=1) / np.sqrt(GROUPS)
            for name, number in (("over chosen", len(chosen)), ("over all", units)):
                found[name] += (p_over_all(effects, error, GROUPS, number) <= ALPHA).any() / runs
    return found


def coverage_of_values(runs: int, seed: int, *, noise: float, draws: int = 60) -> dict[str, float]:
    """How often intervals of Shapley values hold those of a game with interactions of three, by which error they have.

    Each coalition has noise of its own on each example, and each example counts the units otherwise.

    Args:
        runs: coalitions and examples that are drawn anew.
        seed: of all of it.
        noise: standard deviation of what is added to the score of each coalition and example.
        draws: coalitions of a sample.
    """
    rng, units, groups = np.random.default_rng(seed), 7, 60
    worth, threes = rng.normal(size=units), rng.normal(size=(units, units, units))
    every = all_coalitions(units)

    def game(on: np.ndarray) -> np.ndarray:
        return on @ worth + np.einsum(
            "kabc,abc->k", on[:, :, None, None] & on[:, None, :, None] & on[:, None, None], threes
        )

    truth = all_sets_matrix(every).matrix @ game(every)
    found = {"both": 0.0, "coalitions alone": 0.0, "examples alone": 0.0}
    for run in range(runs):
        on = kernel_coalitions(units, draws, int(rng.integers(2**31)))
        keys = list(dict.fromkeys(map(bytes, on)))
        distinct = np.array([np.frombuffer(key, dtype=bool) for key in keys])
        own = noise * rng.normal(size=(units, groups))
        values = game(distinct)[:, None] + distinct @ own + 0.3 * noise * rng.normal(size=(len(keys), groups))
        sums = np.rint(np.stack([values * PER_UNIT, np.ones_like(values)], axis=-1)).astype(np.int64)
        sample = sample_of(sums, LogLikelihood())
        at = np.array([keys.index(bytes(row)) for row in on])
        values = values_of(kernel_matrix(on), sample, at, run)
        ends = {"both": values.error, "coalitions alone": values.by_coalitions, "examples alone": values.by_examples}
        for name, error in ends.items():
            low, high = replace(values, error=error).interval(ALPHA)
            found[name] += ((low <= truth) & (truth <= high)).mean() / runs
    return found


def coverage_where_stopped(runs: int, seed: int, *, most: int = 160, threes: float = 1.0) -> dict[str, float]:
    """How often intervals hold a game's values at the look where a width has ended the sample.

    The width is that which about half of the samples reach at half of the coalitions, so that chance decides where they
    end. The interactions are of three units, and by `threes` there are few large ones, which small samples do not meet:
    where they meet none they look sure of a wrong value.

    Args:
        runs: samples that are drawn.
        seed: of all of it.
        most: coalitions at most.
        threes: share of the interactions of three units that are not 0.

    Returns:
        How often a value is held by the interval with the looks paid for, by the one without; and how many coalitions
        there were on average.
    """
    rng, units = np.random.default_rng(seed), 7
    worth, three = rng.normal(size=units), rng.normal(size=(units, units, units))
    three *= (rng.random(three.shape) < threes) / threes
    every = all_coalitions(units)

    def game(on: np.ndarray) -> np.ndarray:
        return on @ worth + np.einsum(
            "kabc,abc->k", on[:, :, None, None] & on[:, None, :, None] & on[:, None, None], three
        )

    truth = all_sets_matrix(every).matrix @ game(every)
    at = planned_looks(units, most)

    def values(on: np.ndarray) -> Values | None:
        """The values, examples without any error; None where too few coalitions have told the units apart."""
        with suppress(InputError):
            return Values.of(kernel_matrix(on), game(on), [np.tile(game(on), (1000, 1))])
        return None

    found = {"looks paid for": 0.0, "not paid for": 0.0, "coalitions": 0.0}
    samples = []
    for _ in range(runs):
        on = kernel_coalitions(units, most, int(rng.integers(2**31)))
        samples.append({number: one for number in at if (one := values(on[: number + 2]))})
    for name, pays in (("looks paid for", len(at)), ("not paid for", 1)):
        halves = [one.half_width(ALPHA / pays).max() for sample in samples if (one := sample.get(at[-2]))]
        width = float(np.median(halves))
        for sample in samples:
            narrow = [number for number, one in sample.items() if one.half_width(ALPHA / pays).max() <= width]
            end = min([*narrow, most])
            low, high = sample[end].interval(ALPHA / pays)
            found[name] += ((low <= truth) & (truth <= high)).mean() / runs
            found["coalitions"] += end / runs * (pays > 1)
    return found


if __name__ == "__main__":
    RUNS = int(sys.argv[1]) if len(sys.argv) > 1 else 2000
    print("no interactions, large effects:", false_interactions(RUNS, 1))
    print("interaction of .3 nats found:", found_interactions(RUNS, 2))
    print("BLEU:", false_interactions_of_bleu(RUNS, 3))
    print("screenings without any effect:", false_confirmations(RUNS // 10, 4))
    for THREES in (1.0, 0.1, 0.03):
        print(f"Stopped at a width, {THREES:g} of the threes:", coverage_where_stopped(RUNS, 3, threes=THREES))
    for NOISE in (0.3, 5.0, 20.0):
        print(f"Shapley values, noise {NOISE:g}:", coverage_of_values(RUNS, 1, noise=NOISE))
