"""The whole procedure of audits, simulated: rounds, shares, thresholds that rise, doctored errors near the bound.

What is promised is of the drafts that are left when every share has passed, and of those that still stand when others
have raised thresholds since: their number of wrong ones is within the limit, together, and of all masks at once.
"""

from collections.abc import Iterator

import numpy as np
import pytest
from scipy.stats import binom

from analysis.cascade.domain_bounds import mask_limit, number_of_jobs, pooled_limit
from study.record.cascade import Audit, MaskSample
from study.record.cascade.limits import round_alpha, sample_size

MASKS, EXAMPLES, BOUND, CONFIDENCE, RUNS = 8, 300, 0.02, 0.95, 200
NAMES = [f"mask {number}" for number in range(MASKS)]


class Drafts:
    """Drafts of every mask and example; some are wrong, and an error is found by computing them alone."""

    def __init__(self, rng: np.random.Generator, wrong: int, concentrated: bool, low: bool) -> None:
        self.rng = rng
        self.margin = rng.random((MASKS, EXAMPLES))
        self.wrong = np.zeros((MASKS, EXAMPLES), dtype=bool)
        first = rng.permutation(EXAMPLES)[:wrong] if concentrated else rng.permutation(MASKS * EXAMPLES)[:wrong]
        self.wrong.reshape(-1)[first] = True
        if low:
            self.margin[self.wrong] *= 0.3
        self.stands = np.ones((MASKS, EXAMPLES), dtype=bool)

    def audit(self, share: int, shards: int) -> Audit:
        """Rounds until one is passed."""
        own = np.zeros_like(self.stands)
        own[:, share::shards] = True
        number = 0
        while True:
            number += 1
            population = np.argwhere(own & self.stands)
            alpha = round_alpha(CONFIDENCE, number, shards)
            size = sample_size(len(population), BOUND, alpha)
            drawn = population[self.rng.permutation(len(population))[:size]]
            seen = np.zeros_like(own)
            seen[tuple(drawn.T)] = True
            looked = {
                name: MaskSample(
                    int((own & self.stands)[m].sum()), int(seen[m].sum()), int((seen & self.wrong)[m].sum())
                )
                for m, name in enumerate(NAMES)
            }
            places = {name: tuple(np.flatnonzero(seen[m]).tolist()) for m, name in enumerate(NAMES)}
            passed = not (seen & self.wrong).any()
            audit = Audit(
                number, 0, share, shards, EXAMPLES, BOUND, CONFIDENCE, alpha, looked, places, passed=passed
            )  # fmt: skip
            found = seen & self.wrong
            self.stands &= ~seen  # what is drawn is exact from now on
            for m in np.flatnonzero(found.any(axis=1)):
                self.raise_threshold(m, 1.2 * self.margin[m][found[m]].max())
            if passed:
                return audit

    def raise_threshold(self, mask: int, threshold: float) -> None:
        self.stands[mask] &= self.margin[mask] > threshold

    @property
    def left(self) -> np.ndarray:
        """Wrong drafts that stand, of each mask."""
        return (self.wrong & self.stands).sum(axis=1)


def outside(rng: np.random.Generator, shards: int, **doctored) -> Iterator[tuple[bool, bool]]:
    """Whether the limits are exceeded, together and of some mask: when all have passed, and after others went on."""
    drafts = Drafts(rng, **doctored)
    audits = [drafts.audit(share, shards) for share in range(shards)]
    assert number_of_jobs(audits) == 1
    pooled, alone = pooled_limit(audits), np.array([mask_limit(name, audits) for name in NAMES])
    population = sum(audit.together.population for audit in audits)
    assert pooled <= BOUND * population + shards
    yield drafts.left.sum() > pooled, bool((drafts.left > alone).any())
    for mask in rng.permutation(MASKS)[:4]:
        drafts.raise_threshold(mask, rng.random())
    yield drafts.left.sum() > pooled, bool((drafts.left > alone).any())


JUST_ABOVE = round(BOUND * MASKS * EXAMPLES) + 2


@pytest.mark.parametrize("shards", [1, 2])
@pytest.mark.parametrize(
    "doctored",
    [
        {"wrong": JUST_ABOVE, "concentrated": False, "low": False},
        {"wrong": JUST_ABOVE, "concentrated": True, "low": False},
        {"wrong": 2 * JUST_ABOVE, "concentrated": False, "low": True},
    ],
)
def test_limits_hold_as_often_as_they_say(shards: int, doctored: dict) -> None:
    rng = np.random.default_rng([shards, *map(int, doctored.values())])
    found = np.array([list(outside(rng, shards, **doctored)) for _ in range(RUNS)])
    most = binom.ppf(0.999, RUNS, 1 - CONFIDENCE)
    rates = found.sum(axis=0)
    assert (rates <= most).all(), f"together and of some mask, after the audit and later: {rates} of {RUNS} runs"
    assert (rates[1] <= rates[0]).all(), "larger thresholds take wrong drafts away, if any"


def test_the_promise_is_not_kept_by_chance_alone() -> None:
    """A bound that spends all of alpha in every round would be exceeded more often than it says."""
    rng, exceeded = np.random.default_rng(5), 0
    for _ in range(RUNS):
        population, wrong = MASKS * EXAMPLES, JUST_ABOVE
        for _ in range(4):
            size = sample_size(population, BOUND, 1 - CONFIDENCE)
            hit = rng.hypergeometric(wrong, population - wrong, size)
            if not hit:
                exceeded += 1
                break
            population, wrong = population - size, wrong - hit
            wrong = max(wrong, round(BOUND * population) + 1)  # thresholds that rise do not help
    assert exceeded > binom.ppf(0.999, RUNS, 1 - CONFIDENCE)
