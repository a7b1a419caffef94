"""Intervals of variance components, and of their shares, by jackknives over seeds and over groups of examples.

The seeds and the examples are samples; heads and domains are those that were studied, and are never resampled. What a
number would be without each seed gives the one part of its variance, what it would be without each group of examples of
each domain the others; t has one degree of freedom less than there are seeds. Noise that a seed has to itself is in
both parts, so that intervals are rather wide than narrow.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from analysis.components.moments import Component, Components, Values, moments, without_each_group, without_each_seed
from analysis.components.noisy_grid import NoisyGrid
from analysis.correlation import jackknife
from analysis.correlation.jackknife import Stratum

FEWEST_SEEDS = 4
"""Seeds that an interval needs."""

FEWEST_GROUPS = 3
"""Groups of examples that each domain needs: the noise without one is that of the others."""


@dataclass(frozen=True)
class Estimate:
    """A number with its interval; None where there is none."""

    value: float
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True, eq=False)
class Decomposition:
    """The variance components of a grid, and what they are without each seed and group of examples.

    Attributes:
        whole: the components.
        seeds: those without each seed; None without intervals.
        groups: those without each group of examples, or block of groups, for each domain; none where a domain has fewer
            than three.
        reason: why there are no intervals; None where there are.
        level: probability that an interval holds.
    """

    whole: Components
    seeds: Components | None
    groups: tuple[Components, ...]
    reason: str | None
    level: float

    def estimate(self, number: Callable[[Components], Values]) -> Estimate:
        """A number that follows from the components, with its interval."""
        if self.seeds is None:
            with np.errstate(invalid="ignore", divide="ignore"):
                return Estimate(float(number(self.whole)))
        return self._estimate(number, (self.seeds, *self.groups), len(np.asarray(total(self.seeds))))

    @property
    def divided(self) -> bool:
        """Whether the variance can be divided into shares: whether it is shown to be above its noise.

        Without intervals the cells are taken as given, and the noise is that of the examples alone.
        """
        if self.seeds is not None:
            whole = self.estimate(total)
        elif self.groups:
            whole = self._estimate(total, self.groups, min(len(np.asarray(total(own))) for own in self.groups))
        else:
            return False
        return (whole.value if whole.low is None else whole.low) > 0

    def _estimate(self, number: Callable[[Components], Values], left: Sequence[Components], parts: int) -> Estimate:
        """A number with its interval, from the components without each part of every sample."""
        with np.errstate(invalid="ignore", divide="ignore"):
            value = float(number(self.whole))
            error = jackknife.error(value, *(Stratum(np.asarray(number(own))) for own in left))
        half = jackknife.quantile(self.level, parts) * error
        return Estimate(value, value - half, value + half) if np.isfinite(half) else Estimate(value)


def decompose(grid: NoisyGrid, level: float, *, sampled: bool = True) -> Decomposition:
    """The components of a grid by moments, with what their intervals need.

    Args:
        grid: effects with their noise.
        level: probability that an interval holds.
        sampled: whether what stands on the axis of seeds is a sample, as seeds are; epochs are none.
    """
    reason = no_interval(grid, sampled=sampled)
    enough = min(grid.groups) >= FEWEST_GROUPS
    groups = tuple(without_each_group(grid, domain) for domain in range(grid.shape[0])) if enough else ()
    return Decomposition(moments(grid), without_each_seed(grid) if reason is None else None, groups, reason, level)


def total(components: Components) -> Values:
    """The variance of true effects over the heads of a cell."""
    return sum(components.values())


def share(name: Component) -> Callable[[Components], Values]:
    """What gives the share of a component in the total."""
    return lambda components: np.divide(components[name], total(components))  # NaN where all effects are equal


def no_interval(grid: NoisyGrid, *, sampled: bool) -> str | None:
    """Why the components of a grid have no intervals; None where they have some."""
    if not sampled:
        return "no intervals: they need seeds, as only seeds are a sample"
    if grid.shape[1] < FEWEST_SEEDS:
        return f"no intervals: they need {FEWEST_SEEDS} seeds, and there are {grid.shape[1]}"
    if min(grid.groups) < FEWEST_GROUPS:
        return f"no intervals: a domain has {min(grid.groups)} groups of examples, and they need {FEWEST_GROUPS}"
    return None
