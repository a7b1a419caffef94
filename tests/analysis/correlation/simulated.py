"""Two domains whose true effects are known: examples are right while a latent variable is above zero.

Removing head h adds mu_h and noise to the latent variable of every example, so its true effect has a closed form
whatever the examples of a group, or the heads of an example, have in common. Run as a program with a number of runs, it
prints the coverage table of `design/correlation.md`; a second number is the share of examples that both have.
"""

import sys
from dataclasses import dataclass, replace

import numpy as np
from scipy import stats

from analysis.correlation.shared_examples import SharedGroups
from analysis.correlation.true_correlation import NoisyEffects, measured_r, true_r
from analysis.results.sample import Sample
from study.record.metrics import Accuracy

EASE = 1.0
"""Mean of the latent variable: 84 % of the examples are right."""

JITTER = 0.25
"""Of a removed head on a single example: what makes examples flip although the head has no effect on average."""


@dataclass(frozen=True)
class Scenario:
    """How two domains are made.

    Attributes:
        r: correlation of the shifts that the heads' removal means on the two domains; the true r is near it.
        signal: their size.
        groups: of examples, on each domain.
        size: examples of a group.
        alike: correlation of the examples of a group.
        uneven: whether groups have any size from 1 to twice the usual one less 1.
        heavy: whether a few heads have much larger effects than others.
        heads: number of heads.
    """

    r: float
    signal: float
    groups: int
    size: int = 1
    alike: float = 0.5
    uneven: bool = False
    heavy: bool = True
    heads: int = 48

    def shifts(self, rng: np.random.Generator) -> np.ndarray:
        """The shift of the latent variable by each head, [2, heads]."""
        normal = rng.standard_normal((2, self.heads))
        normal[1] = self.r * normal[0] + np.sqrt(1 - self.r**2) * normal[1]
        scale = np.sqrt(3 / rng.chisquare(3, self.heads)) if self.heavy else 1.0
        return self.signal * normal * scale


def true_effects(shifts: np.ndarray) -> np.ndarray:
    """In percentage points, in closed form."""
    return 100 * (stats.norm.cdf((EASE + shifts) / np.sqrt(1 + JITTER**2)) - stats.norm.cdf(EASE))


Noise = tuple[np.ndarray, np.ndarray, np.ndarray]
"""Of a test set: latent variable [group, example, 1], jitter [group, example, head], sizes of groups."""


def drawn(scenario: Scenario, rng: np.random.Generator) -> Noise:
    """The examples of a test set. Half of the jitter is common to all heads."""
    most = 2 * scenario.size - 1 if scenario.uneven else scenario.size

    def clustered(heads: int) -> np.ndarray:
        shared = rng.standard_normal((scenario.groups, 1, heads), dtype=np.float32)
        own = rng.standard_normal((scenario.groups, most, heads), dtype=np.float32)
        return np.sqrt(scenario.alike) * shared + np.sqrt(1 - scenario.alike) * own

    latent = EASE + clustered(1)
    jitter = JITTER * (np.sqrt(0.5) * clustered(1) + np.sqrt(0.5) * clustered(scenario.heads))
    sizes = np.full(scenario.groups, scenario.size)
    if scenario.uneven:
        sizes = rng.integers(1, 2 * scenario.size, scenario.groups)
    return latent, jitter, sizes


def outcomes(noise: Noise, shifts: np.ndarray, names: tuple[str, ...] | None = None) -> Sample:
    """The outcomes of these examples as sums over groups."""
    latent, jitter, sizes = noise
    counted = np.arange(latent.shape[1]) < sizes[:, None]
    right = np.concatenate([latent > 0, latent + shifts + jitter > 0], axis=2)
    right = (right & counted[:, :, None]).sum(axis=1).T
    sums = np.stack([right, np.broadcast_to(sizes, right.shape)], axis=2).astype(np.int64)
    names = names or tuple(map(str, range(len(sizes))))
    return Sample(tuple(map(str, range(len(sums)))), Accuracy(), sums, sizes, names)


def sample(scenario: Scenario, shifts: np.ndarray, rng: np.random.Generator) -> Sample:
    """A test set of its own examples."""
    return outcomes(drawn(scenario, rng), shifts)


def on_the_same_examples(
    scenario: Scenario, shifts: np.ndarray, rng: np.random.Generator, common: float = 0.7, share: float = 1.0
) -> tuple[tuple[Sample, Sample], SharedGroups]:
    """Two cells that were measured on the same examples, or of which the second has a share of those of the first.

    Args:
        scenario: how they are made.
        shifts: of both.
        rng: of all that is random.
        common: share of the jitter that is the same in both cells.
        share: part of the groups that both cells have.
    """
    first, own, new = (drawn(scenario, rng) for _ in range(3))
    both = round(share * scenario.groups)
    mixed = np.sqrt(common) * first[1] + np.sqrt(1 - common) * own[1]
    second = tuple(
        np.concatenate([old[:both], fresh[both:]]) for old, fresh in zip((first[0], mixed, first[2]), new, strict=True)
    )
    names = tuple(f"{'both' if i < both else 'own'} {i}" for i in range(scenario.groups))
    shared = SharedGroups(scenario.groups, scenario.groups, np.arange(both), np.arange(both))
    return (outcomes(first, shifts[0]), outcomes(second, shifts[1], names)), shared


def noisy(own: Sample) -> NoisyEffects:
    return NoisyEffects("simulated", own.effects, own.without_each[:, 1:] - own.without_each[:, :1])


@dataclass(frozen=True)
class Coverage:
    """Shares of runs: that the two intervals hold the truth, and that the true r is estimable.

    Widths are those of the intervals in the median, as multiples of the range of 95 % of the estimates.
    """

    measured: float
    true: float
    estimable: float
    r_measured: float
    r_true: float
    median_true: float
    width_measured: float
    width_true: float


def coverage(scenario: Scenario, runs: int, seed: int, share: float = 0.0) -> Coverage:
    """How often 95 % intervals hold the truth. That of r as measured is its mean over the runs.

    Both cells have the same examples as far as `share` says.
    """
    rng = np.random.default_rng(seed)
    shifts = scenario.shifts(rng)
    truth = float(np.corrcoef(true_effects(shifts))[0, 1])
    measured, true = [], []
    for _ in range(runs):
        if share:
            both, shared = on_the_same_examples(scenario, shifts, rng, share=share)
        else:
            both, shared = [sample(scenario, own, rng) for own in shifts], None
        sides = [noisy(own) for own in both]
        measured.append(measured_r(*sides, shared=shared))
        true.append(true_r(*sides, shared=shared))
    target = float(np.mean([found.value for found in measured]))
    estimable = [found for found in true if found.value is not None]
    return Coverage(
        measured=_share(measured, target),
        true=_share(estimable, truth),
        estimable=len(estimable) / runs,
        r_measured=target,
        r_true=truth,
        median_true=float(np.median([found.value for found in estimable])) if estimable else float("nan"),
        width_measured=_width(measured),
        width_true=_width(estimable),
    )


def _width(estimates) -> float:
    if len(estimates) < 2:
        return float("nan")
    low, high = np.quantile([found.value for found in estimates], [0.025, 0.975])
    return float(np.median([found.high - found.low for found in estimates]) / (high - low))


def _share(estimates, truth: float) -> float:
    return float(np.mean([found.low - 1e-9 <= truth <= found.high + 1e-9 for found in estimates]))


PLAIN = Scenario(r=0.8, signal=0.05, groups=600)
SCENARIOS = {
    "strong signal": replace(PLAIN, signal=0.15),
    "medium": PLAIN,
    "weak": replace(PLAIN, signal=0.02),
    "very weak": replace(PLAIN, signal=0.01, heavy=False),
    "no relation": replace(PLAIN, r=0.0),
    "same true effects": replace(PLAIN, r=1.0),
    "same, strong signal": replace(PLAIN, r=1.0, signal=0.15),
    "premises of three": replace(PLAIN, groups=200, size=3),
    "premises of 1 to 9": replace(PLAIN, groups=120, size=5, uneven=True),
    "30 documents of 10": replace(PLAIN, groups=30, size=10),
    "10 documents of 30": replace(PLAIN, groups=10, size=30),
    "no large heads": replace(PLAIN, heavy=False),
}

if __name__ == "__main__":
    of_examples = float(sys.argv[2]) if len(sys.argv) > 2 else 0.0
    for name, scenario in SCENARIOS.items():
        found = coverage(scenario, int(sys.argv[1]), seed=1, share=of_examples)
        print(f"| {name} | {found.r_true:.2f} | {found.r_measured:.2f} | {found.measured:.3f} ", end="")
        print(f"| {found.true:.3f} | {100 * found.estimable:.0f} % | {found.median_true:.2f} |", flush=True)
